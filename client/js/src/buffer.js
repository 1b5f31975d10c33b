import { Event, Gap, Live } from "./events.js";
import { cursorOf, parseCursor } from "./protocol/cursor.js";

/**
 * The most characters of messages that wait for one iterator, beside the limit in events; one event always
 * fits.
 */
export const BUFFER_CHARS = 64 * 1024 * 1024;

/** When so many taken places have gathered before the first item, they are given back. */
const SLACK = 1024;

/** @typedef {Event | Gap | Live} Item */

/**
 * What waits for one iterator. It holds at most `limit` events: whoever puts looks at `full` first. A `Live`,
 * of which there is at most one, takes no room and is not dropped.
 */
export class Buffer {
  /**
   * What was dropped in front of the oldest item, where dropping was asked for.
   * @type {Gap | null}
   */
  lost = null;
  /** Whether nothing more will come. */
  ended = false;
  /** @type {unknown} */
  #error = null;
  /** @type {{ item: Item, size: number }[]} */
  #entries = [];
  #first = 0;
  #chars = 0;
  #marks = 0;
  /** @type {Set<() => void>} */
  #waiters = new Set();

  /** @param {number} limit */
  constructor(limit) {
    this.limit = limit;
  }

  get length() {
    return this.#entries.length - this.#first;
  }

  /** Whether it takes no more events. */
  get full() {
    return this.length - this.#marks >= this.limit || this.#chars >= BUFFER_CHARS;
  }

  /** Whether there is room enough to ask for more. */
  get halfEmpty() {
    return this.length <= Math.floor(this.limit / 2) && this.#chars <= BUFFER_CHARS / 2;
  }

  /** Whether everything that came was taken out. */
  get idle() {
    return this.length === 0 && this.lost === null;
  }

  /**
   * @param {Item} item
   * @param {number} [size] the characters of its message
   */
  put(item, size = 0) {
    this.#entries.push({ item, size });
    this.#chars += size;
    if (item instanceof Live) this.#marks += 1;
    this.#wake();
  }

  /** Remove and return the oldest item; `idle` must be false. */
  take() {
    if (this.lost !== null) {
      const gap = this.lost;
      this.lost = null;
      return gap;
    }
    return this.#passed(this.#shift());
  }

  /**
   * Make room by dropping the oldest event or gap; adjacent losses are one gap.
   * @param {string} pattern
   */
  dropOldest(pattern) {
    const mark = this.#entries[this.#first].item instanceof Live ? this.#shift() : null;
    const loss = lossOf(this.#passed(this.#shift()), pattern);
    if (mark !== null) this.#entries.splice(this.#first, 0, mark);
    if (loss !== null) this.lost = this.lost === null ? loss : merged(this.lost, loss);
  }

  /**
   * Nothing more will come. With an error what waits is still handed out, then the error is thrown. Without
   * one, by intent, nothing is handed out any more, also where an error had ended it before.
   * @param {unknown} [error]
   */
  end(error = null) {
    if (this.ended && error !== null) return;
    this.ended = true;
    this.#error = error;
    if (error === null) this.#clear();
    this.#wake();
  }

  /**
   * Wait until there is something to take; false at the end. Rejects with the error that `end` was called
   * with.
   * @returns {Promise<boolean>}
   */
  async wait() {
    while (this.idle) {
      if (this.#error !== null) throw this.#error;
      if (this.ended) return false;
      await new Promise((resolve) => this.#waiters.add(() => resolve(null)));
    }
    return true;
  }

  #wake() {
    if (this.#waiters.size === 0) return;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }

  #clear() {
    this.#entries = [];
    this.#first = this.#chars = this.#marks = 0;
    this.lost = null;
  }

  #shift() {
    const entry = this.#entries[this.#first];
    this.#first += 1;
    if (this.#first === this.#entries.length || this.#first === SLACK) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
    return entry;
  }

  /** @param {{ item: Item, size: number }} entry */
  #passed({ item, size }) {
    this.#chars -= size;
    if (item instanceof Live) this.#marks -= 1;
    return item;
  }
}

/**
 * What is lost with an item. Nothing is owed for an ephemeral event.
 * @param {Item} item
 * @param {string} pattern
 */
function lossOf(item, pattern) {
  if (item instanceof Gap) return item;
  if (item instanceof Live || item.cursor === null) return null;
  const { epoch, seq } = parseCursor(item.cursor);
  return new Gap(cursorOf(epoch, seq - 1), item.cursor, "overflow", pattern, 1);
}

/**
 * @param {Gap} first
 * @param {Gap} second
 */
function merged(first, second) {
  const dropped = first.dropped === null || second.dropped === null ? null : first.dropped + second.dropped;
  // That the log is another one must not be hidden by what was dropped around it.
  const reason = first.reason === "epoch" || second.reason === "epoch" ? "epoch" : "overflow";
  return new Gap(first.start, second.end, reason, first.pattern, dropped);
}
