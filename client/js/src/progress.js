import { goingOn } from "./ask.js";
import { parseCursor } from "./protocol/cursor.js";

/** @typedef {import("./ask.js").Ask} Ask */
/** @typedef {import("./buffer.js").Buffer} Buffer */
/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {import("./place.js").ResumePlace} ResumePlace */

/**
 * How far the reader of a subscription has come. It moves in two steps: what is handed to the reader is
 * consumed once the reader asks for more. With a `store` each step is saved. Every place that is saved has
 * everything before it consumed.
 */
export class Progress {
  /** What to ask for, to go on from where the store says. @type {Ask} */
  ask;
  /** Whether the reader is at work on something that has a place. */
  inHand = false;
  #buffer;
  #report;
  /** @type {ResumePlace | null} */
  #store;
  /** @type {Feed | null} */
  #feed = null;
  #snapshot;
  /** @type {string | null} */
  #consumed = null;
  /** @type {string | null} */
  #handed = null;
  #endsSnapshot = false;

  /**
   * @param {Ask} ask
   * @param {Buffer} buffer
   * @param {ResumePlace | null} store
   * @param {(error: unknown) => void} report
   */
  constructor(ask, buffer, store, report) {
    const { cursor, snapshot } = store?.place ?? NOWHERE;
    this.ask = cursor === null ? ask : goingOn(ask, cursor, snapshot);
    this.#snapshot = cursor === null ? ask.start === "latest" : snapshot;
    this.#buffer = buffer;
    this.#store = store;
    this.#report = report;
  }

  /** Whether there is a store. */
  get remembers() {
    return this.#store !== null;
  }

  /**
   * The place up to which everything was consumed; null while that is not known.
   * @returns {string | null}
   */
  get cursor() {
    if (this.#feed === null) return null;
    const received = this.#atRest ? this.#feed.cursor : null;
    return received ?? this.#consumed ?? this.#feed.first;
  }

  /**
   * Follow this subscription.
   * @param {Feed} feed
   */
  begin(feed) {
    this.#feed = feed;
    if (this.#store !== null) feed.moved = () => this.#moved();
  }

  /**
   * The reader gets what ends at this place.
   * @param {string} cursor
   */
  hand(cursor) {
    this.#handed = cursor;
    this.inHand = true;
    this.#endsSnapshot = false;
  }

  /**
   * The reader has got everything that was past.
   * @param {string} cursor
   */
  handLive(cursor) {
    this.hand(later(cursor, this.#consumed));
    this.#endsSnapshot = true;
  }

  /**
   * The reader is done with what it has.
   * @throws {import("./protocol/errors.js").SwarmwireError} UNAVAILABLE when that cannot be saved
   */
  consume() {
    if (this.inHand) {
      this.#consumed = this.#handed;
      this.inHand = false;
      this.#snapshot &&= !this.#endsSnapshot;
    }
    this.#save();
  }

  /** Nothing new will come: another subscription may go on from here. */
  offer() {
    this.#store?.offer();
  }

  /** Let go of the store. Harmless twice; what is in hand stays unconsumed. */
  close() {
    try {
      this.#save();
    } catch (error) {
      this.#report(error);
    }
    this.#store?.close();
    this.#store = null;
  }

  /** The subscription received a place that is no event's: it is consumed too while nothing else waits. */
  #moved() {
    try {
      this.#save();
    } catch (error) {
      this.#report(error); // the next step of the reader throws it
    }
  }

  /** Whether everything received was consumed. */
  get #atRest() {
    return !this.inHand && this.#buffer.idle && !this.#buffer.ended;
  }

  #save() {
    const cursor = this.#store === null ? null : this.cursor;
    if (cursor === null) return;
    // Once at rest it does not go back to the last event, which the end of the iterator would else make it.
    this.#consumed = cursor;
    this.#store?.save({ cursor, snapshot: this.#snapshot });
  }
}

/** @type {import("./place.js").Place} */
const NOWHERE = { cursor: null, snapshot: false };

/**
 * The cursor, unless it would go back: where the oldest are dropped, a gap can reach beyond the end of the
 * past.
 * @param {string} cursor
 * @param {string | null} consumed
 */
function later(cursor, consumed) {
  if (consumed === null) return cursor;
  const place = parseCursor(cursor);
  const other = parseCursor(consumed);
  return place.epoch === other.epoch && place.seq < other.seq ? consumed : cursor;
}
