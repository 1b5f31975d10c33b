import { Event, Gap, Live } from "./events.js";
import { cursorOf, parseCursor } from "./protocol/cursor.js";

/** @typedef {import("./ask.js").Ask} Ask */
/** @typedef {import("./buffer.js").Buffer} Buffer */
/** @typedef {import("./protocol/cursor.js").Cursor} Cursor */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */

const NOWHERE = -1;

/**
 * Where a subscription stands with the broker: not asked for on this connection; asked for and not yet
 * answered; reading the past, its events addressed to it; taking what is new; told to stop, its iterator
 * being full; over.
 * @typedef {"idle" | "asked" | "replaying" | "live" | "paused" | "ended"} FeedState
 */

/**
 * One subscription as the wire sees it, over all connections: its name, its place in the log, its state.
 *
 * Its place is what was *received*: moved by events, gaps, live and positions, and by the first
 * acknowledgement, which says where it begins. It is what the subscription is asked for again with, so that
 * what was promised with the acknowledgement holds even if nothing else came.
 */
export class Feed {
  /** @type {FeedState} */
  state = "idle";
  /** Whether the broker has ever acknowledged it. */
  acknowledged = false;
  /** @type {SwarmwireError | null} */
  error = null;
  /**
   * Where it began, if that is a place: nothing was received then, and all that follows will be.
   * @type {string | null}
   */
  first = null;
  /** Called when the place moved by something that is no event. */
  moved = () => {};
  /** Called when the broker has answered, or never will. */
  settled = () => {};
  /** Called once, when nothing more comes. */
  stopped = () => {};
  #epoch = "";
  #seq = NOWHERE;
  #withLive;

  /**
   * @param {string} name on the wire
   * @param {Ask} ask
   * @param {Buffer} buffer
   * @param {{ gaps?: boolean, live?: boolean }} [marks] whether the buffer gets gaps, and a `Live` where the
   *   past is complete for the first time
   */
  constructor(name, ask, buffer, { gaps = false, live = false } = {}) {
    this.name = name;
    this.ask = ask;
    this.buffer = buffer;
    this.withGaps = gaps;
    this.#withLive = live;
    /** Whether a snapshot is not complete yet: it can only be asked for again as a whole. */
    this.snapshot = ask.start === "latest";
    const begin = typeof ask.start === "object" && "cursor" in ask.start ? ask.start.cursor : ask.had;
    if (begin !== undefined) {
      this.#move(parseCursor(begin));
      this.first = begin;
    }
  }

  /**
   * The place up to which everything was received; null while that is not known.
   * @returns {string | null}
   */
  get cursor() {
    return this.#seq === NOWHERE ? null : cursorOf(this.#epoch, this.#seq);
  }

  /** Whether what is addressed to it is for it. */
  get listens() {
    return this.state === "asked" || this.state === "replaying" || this.state === "live";
  }

  /**
   * What to send the broker, whose log is `epoch`, to have this subscription (again).
   * @param {string} epoch
   * @returns {import("./protocol/messages.js").SubscriptionItem}
   */
  request(epoch) {
    this.state = "asked";
    const { pattern, mode, queueSize } = this.ask;
    if (this.#seq === NOWHERE) this.#epoch = epoch;
    const cursor = this.snapshot ? null : this.cursor;
    const from = cursor === null ? this.ask.start : { cursor };
    return { pattern, sub: this.name, from, mode, queue_size: queueSize };
  }

  /**
   * Turn a snapshot that was not complete when its log was recreated into one of the new log. Returns the gap
   * between the two, which is queued where gaps are wanted: the broker, to which this is a new subscription,
   * tells none.
   * @param {string} epoch
   * @returns {Gap | null}
   */
  beginAnew(epoch) {
    if (!this.snapshot || this.cursor === null || this.#epoch === epoch) return null;
    const gap = new Gap(this.cursor, cursorOf(epoch, 0), "epoch", this.ask.pattern);
    if (this.withGaps) this.buffer.put(gap);
    this.#epoch = epoch;
    this.#seq = NOWHERE;
    return gap;
  }

  /**
   * The broker acknowledged the subscription.
   * @param {Cursor} cursor
   */
  accepted(cursor) {
    if (this.#seq === NOWHERE) this.#begin(cursor);
    // A live that came first is not taken back.
    if (this.state === "asked") this.state = this.#replays ? "replaying" : "live";
    if (this.state === "live") this.#pastIsComplete(cursor);
    this.acknowledged = true;
    this.settled();
    this.moved();
  }

  /**
   * The replay is complete.
   * @param {Cursor} cursor
   */
  wentLive(cursor) {
    this.state = "live";
    this.snapshot = false;
    this.#pastIsComplete(cursor);
    this.reached(cursor);
  }

  /**
   * The broker said that everything up to here was sent.
   * @param {Cursor} cursor
   */
  reached(cursor) {
    this.#move(cursor);
    this.moved();
  }

  /**
   * Queue the event unless it was there before; false if the iterator is full, and nothing has changed then.
   * @param {import("./protocol/messages.js").EventMessage} message
   * @param {number} size
   */
  take(message, size) {
    const seq = message.seq ?? null;
    if (seq === null) {
      // An ephemeral event is owed to nobody.
      if (!this.buffer.full) this.buffer.put(new Event(message, this.#epoch), size);
      return true;
    }
    if (seq <= this.#seq) return true;
    if (!this.#hasRoom()) return false;
    this.#seq = seq;
    this.buffer.put(new Event(message, this.#epoch), size);
    return true;
  }

  /**
   * What of a gap is news here: a subscription that began later, or read on its own, has received a part.
   * @param {Gap} gap
   * @param {Cursor} end
   * @returns {Gap | null}
   */
  missed(gap, end) {
    const inLog = gap.reason === "evicted" || gap.reason === "overflow";
    if (!inLog || end.epoch !== this.#epoch) return gap;
    if (end.seq <= this.#seq) return null;
    const start = parseCursor(gap.start);
    if (start.epoch !== this.#epoch || start.seq >= this.#seq) return gap;
    return new Gap(cursorOf(this.#epoch, this.#seq), gap.end, gap.reason, gap.pattern);
  }

  /**
   * Queue the gap if the iterator wants gaps, and go on behind it; false if the iterator is full.
   * @param {Gap} gap
   * @param {Cursor} end
   */
  passGap(gap, end) {
    if (this.withGaps) {
      if (!this.#hasRoom()) return false;
      this.buffer.put(gap);
    }
    if (gap.reason === "epoch") this.#place(end); // also back within one: the log may have lost its end
    // A snapshot holds events older than what the broker dropped from its table, so they must still pass.
    else if (!this.snapshot) this.#move(end);
    this.moved();
    return true;
  }

  /**
   * Nothing more comes: by intent, or for the error.
   * @param {SwarmwireError | null} error
   */
  stop(error) {
    this.state = "ended";
    this.error = error;
    this.buffer.end(error);
    this.settled();
    this.stopped();
  }

  /** Whether the broker was asked for something past, and will say `live` when it is complete. */
  get #replays() {
    return this.ask.start !== "now" || this.acknowledged;
  }

  /** @param {Cursor} cursor */
  #begin(cursor) {
    this.#epoch = cursor.epoch;
    if (this.snapshot) return;
    this.#move(cursor);
    this.first = cursorOf(cursor.epoch, cursor.seq);
  }

  /** @param {Cursor} cursor */
  #place({ epoch, seq }) {
    this.#epoch = epoch;
    this.#seq = seq;
  }

  /**
   * Everything up to here was received. Within an epoch it never goes back.
   * @param {Cursor} cursor
   */
  #move(cursor) {
    if (cursor.epoch !== this.#epoch || cursor.seq > this.#seq) this.#place(cursor);
  }

  /** @param {Cursor} cursor */
  #pastIsComplete(cursor) {
    if (!this.#withLive) return;
    this.#withLive = false;
    this.buffer.put(new Live(cursorOf(cursor.epoch, cursor.seq), this.ask.pattern));
  }

  #hasRoom() {
    while (this.buffer.full) {
      if (this.ask.mode !== "drop_oldest") return false;
      this.buffer.dropOldest(this.ask.pattern);
    }
    return true;
  }
}
