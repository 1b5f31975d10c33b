/** What the agent, task and swarm channels have in common: publish records, watch them, handle them. */

import { disposeBy } from "../disposal.js";
import { SwarmwireError } from "../protocol/errors.js";
import { Changes } from "./changes.js";
import { checkedRecord } from "./record.js";
import { Registration } from "./registration.js";
import { buildPattern, buildTopic } from "./topics.js";

/**
 * @typedef {import("./change.js").OnError} OnError
 * @typedef {import("./pubsub.js").PubSub} PubSub
 * @typedef {import("./pubsub.js").PublishOptions} PublishOptions
 * @typedef {import("./pubsub.js").SubscribeOptions} SubscribeOptions
 * @typedef {import("./table.js").Kind} Kind
 *
 * @typedef {SubscribeOptions & {itemId?: string | null, onError?: OnError}} ItemOptions
 *
 * @typedef {(() => void) & {ready: Promise<void>}} Removal ends a handler when it is called; `ready` is
 *   fulfilled once the handler is subscribed, and rejected where it will not be
 */

/**
 * A record as it is published: the time is filled in.
 *
 * @template T
 * @typedef {Omit<T, "timestamp"> & {timestamp?: number}} Draft
 */

/**
 * @template R
 * @typedef {import("./registration.js").Handler<R>} Handler
 */

/**
 * Events with checked records, over anything that can publish and subscribe. It holds no connection of its
 * own. Closing it ends the handlers that `on` started; what `watch` gave is closed by who asked for it.
 *
 * @template {object} Records the record of each event
 */
export class Channel {
  #kind;
  /** @type {Set<Registration<any>>} */
  #registrations = new Set();

  /**
   * @param {PubSub} pubsub
   * @param {Kind} kind
   */
  constructor(pubsub, kind) {
    /** @protected */
    this.pubsub = pubsub;
    this.#kind = kind;
  }

  /**
   * Publish a record on its one topic; gives what the publish below gives.
   *
   * Throws INVALID_MESSAGE with the field, if the record breaks its own promises; INVALID_TOPIC for an
   * unknown event and for an id that no topic can hold; PERMISSION_DENIED for what the broker's services
   * alone publish; and whatever publishing throws.
   *
   * @template {keyof Records & string} E
   * @param {E} event
   * @param {Draft<Records[E]>} record
   * @param {PublishOptions} [options]
   * @returns {Promise<unknown>}
   */
  async publish(event, record, options) {
    const { name, idField, events, reserved } = this.#kind;
    const shape = events.get(event);
    if (reserved.has(event)) {
      const sentence = `The ${event} of a ${name} is published by the broker's services alone.`;
      throw new SwarmwireError("PERMISSION_DENIED", sentence, { field: "topic" });
    }
    const data = shape === undefined ? {} : checkedRecord(shape, record, Date.now());
    const topic = buildTopic(this.#kind, textOf(data[idField]), event);
    return this.pubsub.publish(topic, data, options);
  }

  /**
   * The changes of one or all (`id` null); `events` are those to watch, by default all. Several events are
   * one subscription to all of them, sorted out here, so that their order among each other is kept.
   *
   * Throws INVALID_TOPIC for an unknown event. What cannot be read goes to `onError`.
   *
   * @param {string | null} [id]
   * @param {ItemOptions & {events?: Iterable<keyof Records & string>}} [options]
   * @returns {Changes<Records[keyof Records]>}
   */
  watch(id = null, { events, itemId = null, onError, ...options } = {}) {
    const wanted = events === undefined ? null : new Set(events);
    const pattern = this.#patternOf(id, wanted, itemId);
    return new Changes(this.pubsub.subscribe(pattern, options), wanted, onError);
  }

  /**
   * Call a handler with every change of an event (null: of all), of one or of all. Each registration has its
   * own subscription. What it fails with, and what cannot be read, goes to `onError`.
   *
   * @template {keyof Records & string} E
   * @param {E | null} event
   * @param {Handler<Records[E]>} handler
   * @param {ItemOptions & {id?: string | null}} [options]
   * @returns {Removal}
   */
  on(event, handler, { id = null, ...options } = {}) {
    const changes = this.watch(id, event === null ? options : { ...options, events: [event] });
    const registration = new Registration(
      /** @type {Changes<Records[E]>} */ (/** @type {unknown} */ (changes)),
      handler,
      options.onError,
    );
    this.#registrations.add(registration);
    void registration.ended.then(() => this.#registrations.delete(registration));
    return Object.assign(() => void registration.close(), { ready: registration.ready });
  }

  /** End every handler, and resolve when their subscriptions are closed; harmless twice. */
  async close() {
    await Promise.all([...this.#registrations].map((registration) => registration.close()));
  }

  /**
   * @param {string | null} id
   * @param {ReadonlySet<string> | null} events
   * @param {string | null} itemId
   */
  #patternOf(id, events, itemId) {
    if (events?.size === 0) {
      throw new SwarmwireError("INVALID_TOPIC", "Expected at least one event to watch; got none.");
    }
    // Each is checked; more than one are watched by the pattern of all.
    const patterns = [...(events ?? [])].map((event) => buildPattern(this.#kind, id, event, itemId));
    return patterns.length === 1 ? patterns[0] : buildPattern(this.#kind, id, null, itemId);
  }
}

disposeBy(Channel.prototype, Channel.prototype.close);

/**
 * An id, which the shape of its record has checked to be a text.
 *
 * @param {unknown} id
 */
function textOf(id) {
  return typeof id === "string" ? id : "";
}
