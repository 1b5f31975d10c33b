/**
 * What the channels stand on: anything that can publish and subscribe and, for votes, call. The connected
 * client is one.
 *
 * @typedef {object} Event
 * @property {string} topic
 * @property {unknown} data
 * @property {number | null} seq its place in the log; null for an ephemeral event
 * @property {number} ts when the broker took it, in milliseconds since 1970
 * @property {string | null} sender who published it, as the broker vouches for it
 * @property {string | null} cursor the place to subscribe again from, to go on behind this event
 *
 * @typedef {object} Subscribed what else a subscription is
 * @property {PromiseLike<unknown>} ready fulfilled once the broker has acknowledged it
 * @property {() => unknown} close ends it, and the iteration with it; harmless twice
 *
 * @typedef {AsyncIterable<unknown> & Subscribed} EventStream events, and whatever marks were asked for
 *
 * @typedef {"now" | "start" | "latest" | {cursor: string} | {last: number} | {sinceMs: number}} Start
 *
 * @typedef {object} PublishOptions each is handed on as it is
 * @property {string} [key]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [echo]
 * @property {boolean} [ephemeral]
 * @property {boolean} [clear]
 * @property {boolean} [ack]
 * @property {number} [timeoutMs]
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} SubscribeOptions each is handed on as it is
 * @property {Start} [from]
 * @property {"all" | "drop_oldest" | "disconnect"} [mode]
 * @property {number} [conflateMs]
 * @property {number} [queueSize]
 * @property {number} [buffer]
 * @property {string} [resume]
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} CallOptions each is handed on as it is
 * @property {number} [timeoutMs]
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} PubSub
 * @property {(topic: string, data: unknown, options?: PublishOptions) => Promise<unknown>} publish
 * @property {(pattern: string, options?: SubscribeOptions) => EventStream} subscribe
 * @property {(method: string, params?: unknown, options?: CallOptions) => Promise<unknown>} [call]
 */

export {};
