/** The last so many of something, oldest first. */

/** @template T */
export class Ring {
  /** @type {T[]} */
  #items = [];
  #first = 0;
  #most;

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
  }

  get size() {
    return this.#items.length;
  }

  /** @param {T} item */
  push(item) {
    if (this.#items.length < this.#most) {
      this.#items.push(item);
      return;
    }
    this.#items[this.#first] = item;
    this.#first = (this.#first + 1) % this.#most;
  }

  /** The newest. @returns {T|undefined} */
  get last() {
    return this.#items.at(this.#first - 1);
  }

  /** Replaces the newest. @param {T} item */
  replace(item) {
    this.#items[(this.#first + this.#items.length - 1) % this.#items.length] = item;
  }

  /**
   * Items from one place to another, counted from the oldest.
   * @param {number} [begin]
   * @param {number} [end]
   * @returns {T[]}
   */
  slice(begin = 0, end = this.#items.length) {
    const found = [];
    const stop = Math.min(end, this.#items.length);
    for (let place = Math.max(0, begin); place < stop; place += 1) {
      found.push(this.#items[(this.#first + place) % this.#items.length]);
    }
    return found;
  }
}
