/**
 * The messages of the protocol, version 1, as JSON objects. `PROTOCOL.md` explains each of them.
 *
 * @typedef {string | number} RequestId
 *
 * @typedef {object} ClientInfo
 * @property {string} name
 * @property {string} [version]
 * @property {string} [instance]
 * @property {number} [pid]
 * @property {string} [kind]
 *
 * @typedef {object} Hello
 * @property {"hello"} type
 * @property {readonly string[]} versions
 * @property {ClientInfo} client
 * @property {string} [token]
 * @property {Record<string, unknown>} [metadata]
 *
 * @typedef {object} ServerInfo
 * @property {string} id
 * @property {string} name
 * @property {string} version
 * @property {number} pid
 * @property {number} ppid
 *
 * @typedef {object} Permissions
 * @property {string[]} [publish]
 * @property {string[]} [subscribe]
 * @property {string[]} [call]
 * @property {boolean} [admin]
 * @property {boolean} [observe]
 *
 * @typedef {object} Identity
 * @property {string} subject
 * @property {Permissions} permissions
 * @property {number} [expires_at]
 *
 * @typedef {object} Welcome
 * @property {"welcome"} type
 * @property {string} version
 * @property {string} client_id
 * @property {ServerInfo} server
 * @property {string} cursor
 * @property {number} heartbeat_ms
 * @property {Record<string, number | null>} limits
 * @property {Identity} identity
 * @property {string} durability
 * @property {string[]} [features]
 *
 * @typedef {object} Auth
 * @property {"auth"} type
 * @property {RequestId} id
 * @property {string} token
 *
 * @typedef {{cursor: string} | {last: number} | {since_ms: number}} StartAt
 * @typedef {{conflate_ms: number}} Conflate
 *
 * @typedef {object} SubscriptionItem
 * @property {string} pattern
 * @property {string} [sub]
 * @property {string | StartAt} [from]
 * @property {string | Conflate} [mode]
 * @property {number} [queue_size]
 *
 * @typedef {object} Subscribe
 * @property {"subscribe"} type
 * @property {RequestId} id
 * @property {SubscriptionItem[]} subscriptions
 *
 * @typedef {object} Unsubscribe
 * @property {"unsubscribe"} type
 * @property {RequestId} id
 * @property {string[]} subs
 *
 * @typedef {object} SubscribeResult
 * @property {string} sub
 * @property {string} [cursor]
 * @property {ErrorMessage} [error]
 *
 * @typedef {object} Ack
 * @property {"ack"} type
 * @property {RequestId} id
 * @property {SubscribeResult[]} [results]
 * @property {number} [seq]
 * @property {boolean} [duplicate]
 *
 * @typedef {object} EventMessage
 * @property {"event"} type
 * @property {string} topic
 * @property {number} ts
 * @property {unknown} data
 * @property {number} [seq]
 * @property {string} [from]
 * @property {Record<string, string>} [headers]
 * @property {string} [sub]
 * @property {number} [skipped]
 * @property {boolean} [clear]
 * @property {boolean} [direct]
 *
 * @typedef {object} LiveMessage
 * @property {"live"} type
 * @property {string} sub
 * @property {string} cursor
 *
 * @typedef {object} PositionMessage
 * @property {"position"} type
 * @property {string} cursor
 * @property {string} [sub]
 *
 * @typedef {object} GapMessage
 * @property {"gap"} type
 * @property {string} from
 * @property {string} to
 * @property {string} reason
 * @property {string} [sub]
 * @property {number} [dropped]
 *
 * @typedef {object} Publish
 * @property {"publish"} type
 * @property {string} topic
 * @property {unknown} data
 * @property {RequestId} [id]
 * @property {string} [key]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [echo]
 * @property {boolean} [ephemeral]
 * @property {boolean} [clear]
 *
 * @typedef {object} Call
 * @property {"call"} type
 * @property {RequestId} id
 * @property {string} method
 * @property {unknown} [params]
 * @property {number} [timeout_ms]
 *
 * @typedef {object} Dispatch a `call` as its handler gets it
 * @property {"call"} type
 * @property {RequestId} id
 * @property {string} method
 * @property {number} deadline
 * @property {string} [from]
 * @property {unknown} [params]
 *
 * @typedef {object} Cancel
 * @property {"cancel"} type
 * @property {RequestId} id
 *
 * @typedef {object} Reply
 * @property {"reply"} type
 * @property {RequestId} id
 * @property {unknown} data
 * @property {boolean} [more]
 * @property {boolean} [end]
 *
 * @typedef {object} ErrorMessage
 * @property {"error"} type
 * @property {string} code
 * @property {string} message
 * @property {RequestId} [id]
 * @property {string} [field]
 * @property {number} [retry_after_ms]
 * @property {SubscribeResult[]} [results]
 * @property {string[]} [versions]
 * @property {string} [handler_code]
 * @property {unknown} [details]
 *
 * @typedef {object} Ping
 * @property {"ping"} type
 * @property {number} [ts]
 *
 * @typedef {object} Pong
 * @property {"pong"} type
 * @property {number} [ts]
 *
 * @typedef {object} Bye
 * @property {"bye"} type
 * @property {number} code
 * @property {string} [reason]
 * @property {number} [reconnect_after_ms]
 *
 * What a client may send:
 *
 * @typedef {Hello | Auth | Subscribe | Unsubscribe | Publish | Call | Cancel | Reply | ErrorMessage | Ping
 *   | Pong | Bye} ClientMessage
 *
 * What the broker may send:
 *
 * @typedef {Welcome | EventMessage | LiveMessage | PositionMessage | GapMessage | Dispatch | Cancel | Reply
 *   | Ack | ErrorMessage | Ping | Pong | Bye} BrokerMessage
 */

export {};
