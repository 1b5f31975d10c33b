/**
 * What stands in a queue. It is in one queue at a time.
 * @typedef {object} Entry
 * @property {Entry | null} before
 * @property {Entry | null} behind
 * @property {OfflineQueue<any> | null} queue the one it is in
 */

/**
 * Publishes in their order. Everything it does takes the same short time however long it is, also taking one
 * out of its middle.
 * @template {Entry} T
 */
export class OfflineQueue {
  size = 0;
  /** @type {T | null} */
  #first = null;
  /** @type {T | null} */
  #last = null;

  /** @param {T} entry that is in no queue */
  push(entry) {
    entry.queue = this;
    entry.before = this.#last;
    entry.behind = null;
    if (this.#last === null) this.#first = entry;
    else this.#last.behind = entry;
    this.#last = entry;
    this.size += 1;
  }

  /**
   * Take the oldest out.
   * @returns {T | null} null where there is none
   */
  shift() {
    const entry = this.#first;
    if (entry !== null) this.remove(entry);
    return entry;
  }

  /**
   * Take the newest out.
   * @returns {T | null} null where there is none
   */
  pop() {
    const entry = this.#last;
    if (entry !== null) this.remove(entry);
    return entry;
  }

  /**
   * Take one out, wherever it stands; false if it is not in this queue.
   * @param {T} entry
   */
  remove(entry) {
    if (entry.queue !== this) return false;
    const before = /** @type {T | null} */ (entry.before);
    const behind = /** @type {T | null} */ (entry.behind);
    if (before === null) this.#first = behind;
    else before.behind = behind;
    if (behind === null) this.#last = before;
    else behind.before = before;
    entry.queue = entry.before = entry.behind = null;
    this.size -= 1;
    return true;
  }

  /** Take all out; returns them, the oldest first. */
  clear() {
    const entries = [...this];
    for (const entry of entries) this.remove(entry);
    return entries;
  }

  /** @returns {Generator<T>} */
  *[Symbol.iterator]() {
    for (let entry = this.#first; entry !== null; entry = /** @type {T | null} */ (entry.behind)) yield entry;
  }
}
