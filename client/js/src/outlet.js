import { SwarmwireError } from "./protocol/errors.js";
import { parseCursor } from "./protocol/cursor.js";
import { checkSize } from "./size.js";
import { ageOf } from "./pendingpublish.js";

/** @typedef {import("./core.js").Wire} Wire */
/** @typedef {import("./pendingpublish.js").PendingPublish} PendingPublish */
/** @typedef {import("./pendingpublish.js").Stamp} Stamp */
/** @typedef {import("./protocol/messages.js").Welcome} Welcome */

/** The bytes that may wait in a socket; what comes next waits for its turn. */
export const HIGH_WATER = 1024 * 1024;

/** The part of the broker's memory of a key that is always left for a repeat to travel in. */
const TRAVEL = 0.1;

/**
 * Where publishes are written as long as there is a connection, and what its broker knows of those before.
 */
export class Outlet {
  #wire;
  #epoch;
  #scope;
  #usableMs;
  #mostBytes;

  /**
   * @param {Wire} wire
   * @param {Welcome} welcome
   */
  constructor(wire, welcome) {
    this.#wire = wire;
    this.#epoch = parseCursor(welcome.cursor).epoch;
    this.#scope = scopeOf(welcome);
    this.#usableMs = usableMs(welcome.limits.dedupe_ms, welcome.heartbeat_ms);
    this.#mostBytes = welcome.limits.max_message_bytes;
  }

  /** Whether the socket keeps up. */
  get writable() {
    return this.#wire.buffered < HIGH_WATER;
  }

  /**
   * @param {PendingPublish} publish
   * @throws {SwarmwireError} MESSAGE_TOO_LARGE
   */
  check(publish) {
    checkSize(publish.text, this.#mostBytes);
  }

  /**
   * @param {PendingPublish} publish
   * @param {Stamp} now
   */
  write(publish, now) {
    if (publish.written === null) {
      publish.written = now;
      publish.epoch = this.#epoch;
      publish.scope = this.#scope;
    }
    this.#wire.write(publish.text);
  }

  /**
   * Why a publish cannot be written here (again).
   * @param {PendingPublish} publish
   * @param {Stamp} now
   * @returns {unknown} an error; null where it can
   */
  objection(publish, now) {
    const doubt = publish.written === null ? null : this.#doubt(publish, ageOf(publish.written, now));
    if (doubt !== null) return unknown(doubt);
    try {
      this.check(publish);
    } catch (error) {
      return publish.written === null ? error : unknown("the broker now takes smaller messages only");
    }
    return null;
  }

  /**
   * Why the broker might not recognise a publish that it may already have; null if it will.
   * @param {PendingPublish} publish
   * @param {number} ageMs
   */
  #doubt(publish, ageMs) {
    if (publish.epoch !== this.#epoch) return "the broker's log was recreated after it was written";
    if (publish.scope !== this.#scope) return "it was written under a login whose keys are remembered apart";
    if (ageMs < this.#usableMs) return null;
    return "it was written so long ago that the broker may forget its key before a repeat arrives";
  }
}

/**
 * The error of a publish of which the broker's answer will never be known.
 * @param {string} why
 * @param {unknown} [cause]
 */
export function unknown(why, cause) {
  const sentence = `It cannot be known whether this publish was done: ${why}.`;
  return new SwarmwireError("OUTCOME_UNKNOWN", sentence, { cause });
}

/**
 * Whose keys the broker takes ours for: it remembers them for each login apart. Who did not log in has a new
 * subject with every connection, and is known by the `instance` of its hello.
 * @param {Welcome} welcome
 */
function scopeOf(welcome) {
  const subject = welcome.identity.subject;
  return subject === `anonymous:${welcome.client_id}` ? "" : subject;
}

/**
 * How old a publish may be that is written again. What a connection holds up arrives within two heartbeats,
 * or its silence has ended it. That time is left to the repeat as far as half of the broker's memory allows.
 * @param {number | null | undefined} dedupeMs how long the broker remembers a key; null: for ever
 * @param {number} heartbeatMs
 */
function usableMs(dedupeMs, heartbeatMs) {
  if (dedupeMs === null) return Infinity;
  const memory = dedupeMs ?? 0;
  return memory - Math.max(memory * TRAVEL, Math.min(2 * heartbeatMs, memory / 2));
}
