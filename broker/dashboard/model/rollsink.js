/** Hands the events of one topic to what they are about: it is looked for only if it may have gone since. */

/** @typedef {import("./event.js").TopicEvent} TopicEvent */

/** @template {import("./roll.js").Entry} T */
export class RollSink {
  #roll;
  #id;
  #tell;
  /** @type {T|null} */
  #entry = null;
  #dropped = 0;

  /**
   * @param {import("./roll.js").Roll<T>} roll
   * @param {string} id
   * @param {(entry: T, event: TopicEvent) => void} tell
   */
  constructor(roll, id, tell) {
    this.#roll = roll;
    this.#id = id;
    this.#tell = tell;
  }

  /** @param {TopicEvent} event */
  take(event) {
    if (this.#entry === null || this.#dropped !== this.#roll.dropped) {
      this.#entry = this.#roll.of(this.#id);
      this.#dropped = this.#roll.dropped;
    }
    this.#tell(this.#entry, event);
  }
}
