/** What subscriptions hand out: events, and the marks that may stand among them. */

/** One event. */
export class Event {
  #epoch;

  /**
   * @param {import("./protocol/messages.js").EventMessage} message
   * @param {string} epoch of the log that it belongs to
   */
  constructor(message, epoch) {
    /** Where it was published. */
    this.topic = message.topic;
    /**
     * What was published. All subscriptions that got the event share it.
     * @type {any}
     */
    this.data = message.data;
    /**
     * Its place in the broker's log; null for an ephemeral event.
     * @type {number | null}
     */
    this.seq = message.seq ?? null;
    /** When the broker took it, in milliseconds since 1970. */
    this.ts = message.ts;
    /**
     * The identity of who published it, as the broker vouches for it; null where it was the broker itself.
     * @type {string | null}
     */
    this.sender = message.from ?? null;
    /**
     * What the publisher sent beside the data.
     * @type {Readonly<Record<string, string>>}
     */
    this.headers = message.headers ?? NO_HEADERS;
    /** How many earlier events of the topic this one stands for, in a conflating subscription. */
    this.skipped = message.skipped ?? 0;
    /** Whether it takes its topic out of the table of last events. */
    this.clear = message.clear === true;
    this.#epoch = epoch;
  }

  /**
   * The place behind it, for `from: {cursor}`; null for an ephemeral event.
   * @returns {string | null}
   */
  get cursor() {
    return this.seq === null ? null : `${this.#epoch}:${this.seq}`;
  }

  /** Whether it was live only: it has no place in the log. */
  get ephemeral() {
    return this.seq === null;
  }
}

/** @type {Readonly<Record<string, string>>} */
const NO_HEADERS = Object.freeze({});

/**
 * Events may be missing here: those after the cursor `start`, up to and with the cursor `end`.
 *
 * The reason: "evicted" (the log no longer holds them), "overflow" (this subscription asked for the oldest to
 * be dropped), "epoch" (the log was recreated) or "denied" (the identity may no longer read them).
 */
export class Gap {
  /**
   * @param {string} start
   * @param {string} end
   * @param {string} reason
   * @param {string} pattern that of the subscription
   * @param {number | null} [dropped] how many are missing, where that is known exactly
   */
  constructor(start, end, reason, pattern, dropped = null) {
    this.start = start;
    this.end = end;
    this.reason = reason;
    this.pattern = pattern;
    this.dropped = dropped;
  }

  /** The place behind the gap. */
  get cursor() {
    return this.end;
  }
}

/** The past is complete: what the log or the snapshot held came before this, what is new comes after. */
export class Live {
  /**
   * @param {string} cursor the place behind all of it
   * @param {string} pattern that of the subscription
   */
  constructor(cursor, pattern) {
    this.cursor = cursor;
    this.pattern = pattern;
  }
}
