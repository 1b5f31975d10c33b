/**
 * The shape of every message: two tables by its `type`, one a direction. What they mean is not decided here.
 */

import { json } from "./json.js";
import {
  anything,
  between,
  count,
  flag,
  integer,
  listOf,
  mapOf,
  misfit,
  optional,
  optionalOrNull,
  record,
  text,
  textOr,
} from "./kinds.js";

/**
 * @typedef {import("./kinds.js").Kind} Kind
 * @typedef {import("./kinds.js").Optional} Optional
 * @typedef {import("./kinds.js").Shape} Shape
 */

/** The longest `id` of a request, in bytes of UTF-8. */
const MAX_ID_BYTES = 64;

/** What the ids of the broker's own calls begin with, and those that a client makes up may not. */
const BROKER_ID_PREFIX = "b:";

const utf8 = new TextEncoder();

/** @type {Kind} An id as anybody may echo it. */
const id = (value, path) => {
  const isText = typeof value === "string" && value !== "" && utf8.encode(value).length <= MAX_ID_BYTES;
  if (!isText && !Number.isSafeInteger(value)) {
    throw misfit(`a whole number, or a string of 1 to ${MAX_ID_BYTES} bytes`, value, path);
  }
  return value;
};

/** @type {Kind} An id that a client makes up. */
const ownId = (value, path) => {
  if (typeof value === "string" && value.startsWith(BROKER_ID_PREFIX)) {
    throw misfit(`an id that does not begin with ${BROKER_ID_PREFIX}, which are the broker's`, value, path);
  }
  return id(value, path);
};

/** @type {Kind} Who a message is from is stated by the broker alone. */
const stated = (value, path) => {
  throw misfit("no such field from a client", value, path);
};

/**
 * @param {number} length
 * @returns {Kind}
 */
function word(length) {
  return (value, path) => {
    if (/** @type {string} */ (text(value, path)).length > length) {
      throw misfit(`a string of at most ${length} characters`, value, path);
    }
    return value;
  };
}

/**
 * A message of a client.
 *
 * @param {Record<string, Kind | Optional>} fields
 */
function told(fields) {
  return record({ type: text, ...fields, from: optional(stated), client_id: optional(stated) });
}

/**
 * A message of the broker.
 *
 * @param {Record<string, Kind | Optional>} fields
 */
function heard(fields) {
  return record({ type: text, ...fields });
}

// ---- Parts of messages

const clientInfo = record({
  name: word(256),
  version: optional(word(256), ""),
  instance: optional(word(128)),
  pid: optional(integer),
  kind: optional(word(256)),
});

const startAt = record({ cursor: optional(text), last: optional(count), since_ms: optional(count) });

const subscription = record({
  pattern: text,
  sub: optional(text),
  from: optional(textOr(startAt)),
  mode: optional(textOr(record({ conflate_ms: between(integer, 0, 3_600_000) }))),
  queue_size: optional(count),
});

const identity = record({
  subject: text,
  permissions: record({
    publish: optional(listOf(text)),
    subscribe: optional(listOf(text)),
    call: optional(listOf(text)),
    admin: optional(flag, false),
    observe: optional(flag, false),
  }),
  expires_at: optional(integer),
});

const server = record({ id: text, name: text, version: text, pid: integer, ppid: integer });

/** @type {Kind} A function, for the record behind it holds an error, which may hold results again. */
const result = (value, path) => subscribeResult(value, path);

/** @param {Kind} details */
function errorFields(details) {
  return {
    code: text,
    message: text,
    id: optional(id),
    field: optional(text),
    retry_after_ms: optional(integer),
    results: optional(listOf(result)),
    versions: optional(listOf(text)),
    handler_code: optional(text),
    details: optionalOrNull(details),
  };
}

const subscribeResult = record({
  sub: text,
  cursor: optional(text),
  error: optional(heard(errorFields(anything))),
});

const ticks = { ts: optional(integer) };
const bye = { code: integer, reason: optional(text, ""), reconnect_after_ms: optional(integer) };

/** @param {Kind} data */
function replyFields(data) {
  return { id, data, more: optional(flag, false), end: optional(flag, false) };
}

// ---- The tables

/** @type {ReadonlyMap<string, Shape>} What a client may send. */
export const TO_BROKER = new Map(
  Object.entries({
    hello: told({
      versions: listOf(text),
      client: clientInfo,
      token: optional(text),
      metadata: optional(mapOf(json)),
    }),
    auth: told({ id: ownId, token: text }),
    subscribe: told({ id: ownId, subscriptions: listOf(subscription) }),
    unsubscribe: told({ id: ownId, subs: listOf(text) }),
    publish: told({
      topic: text,
      data: json,
      id: optional(ownId),
      key: optional(text),
      headers: optional(mapOf(text)),
      echo: optional(flag, true),
      ephemeral: optional(flag, false),
      clear: optional(flag, false),
    }),
    call: told({ id: ownId, method: text, params: optionalOrNull(json), timeout_ms: optional(count) }),
    cancel: told({ id: ownId }),
    reply: told(replyFields(json)),
    error: told(errorFields(json)),
    ping: told(ticks),
    pong: told(ticks),
    bye: told(bye),
  }),
);

/** @type {ReadonlyMap<string, Shape>} What the broker may send. */
export const FROM_BROKER = new Map(
  Object.entries({
    welcome: heard({
      version: text,
      client_id: text,
      server,
      cursor: text,
      heartbeat_ms: integer,
      limits: mapOf((value, path) => (value === null ? value : integer(value, path))),
      identity,
      durability: text,
      features: optional(listOf(text)),
    }),
    event: heard({
      topic: text,
      ts: integer,
      data: anything,
      seq: optional(count),
      from: optional(text),
      headers: optional(mapOf(text)),
      sub: optional(text),
      skipped: optional(count),
      clear: optional(flag, false),
      direct: optional(flag, false),
    }),
    live: heard({ sub: text, cursor: text }),
    position: heard({ cursor: text, sub: optional(text) }),
    gap: heard({ from: text, to: text, reason: text, sub: optional(text), dropped: optional(count) }),
    call: heard({
      id,
      method: text,
      from: optional(text),
      deadline: integer,
      params: optionalOrNull(anything),
    }),
    cancel: heard({ id }),
    reply: heard(replyFields(anything)),
    ack: heard({
      id,
      results: optional(listOf(result)),
      seq: optional(count),
      duplicate: optional(flag, false),
    }),
    error: heard(errorFields(anything)),
    ping: heard(ticks),
    pong: heard(ticks),
    bye: heard(bye),
  }),
);
