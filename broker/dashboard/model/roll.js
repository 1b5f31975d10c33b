/** Things by their ids, up to a number: when there are more, those go that have ended, longest ago first. */

/** What share of them goes at once: who goes is found out by looking at all of them. */
const SHARE = 0.05;

/** @typedef {{id: string, tsMs: number, hasEnded: boolean}} Entry */

/** @template {Entry} T */
export class Roll {
  dropped = 0;
  /** @type {Map<string, T>} */
  #entries = new Map();
  #make;
  #most;
  #onDropped;

  /**
   * @param {(id: string) => T} make
   * @param {number} most
   * @param {(entry: T) => void} [onDropped]
   */
  constructor(make, most, onDropped = () => {}) {
    this.#make = make;
    this.#most = most;
    this.#onDropped = onDropped;
  }

  get size() {
    return this.#entries.size;
  }

  /** @returns {Iterable<T>} */
  get all() {
    return this.#entries.values();
  }

  /** @param {string} id @returns {T|undefined} */
  get(id) {
    return this.#entries.get(id);
  }

  /** The one of this id, made if it is not there. @param {string} id @returns {T} */
  of(id) {
    const there = this.#entries.get(id);
    if (there !== undefined) return there;
    if (this.#entries.size >= this.#most) this.#shrink();
    const made = this.#make(id);
    this.#entries.set(id, made);
    return made;
  }

  #shrink() {
    const leaving = [...this.#entries.values()].sort(
      (a, b) => Number(b.hasEnded) - Number(a.hasEnded) || a.tsMs - b.tsMs,
    );
    leaving.length = Math.max(1, Math.ceil(this.#most * SHARE));
    for (const entry of leaving) {
      this.#entries.delete(entry.id);
      this.#onDropped(entry);
    }
    this.dropped += leaving.length;
  }
}
