// @ts-check
/** Events for tests, and a clock that tests move. */

let seqs = 0;

/**
 * @param {string} topic
 * @param {unknown} [data]
 * @param {Partial<import("../../../broker/dashboard/model/event.js").TopicEvent>} [more]
 */
export function event(topic, data = null, more = {}) {
  seqs += 1;
  return { topic, data, seq: seqs, ts: 1790000000000 + seqs, sender: "alice", headers: {}, skipped: 0, clear: false, ...more };
}

/** Time that passes when it is told to. */
export class HandClock {
  ms = 1000;
  /** @type {{at: number, fn: () => void}[]} */
  #due = [];

  now = () => this.ms;
  date = () => 1790000000000 + this.ms;
  soon = (/** @type {() => void} */ fn) => void setImmediate(fn);

  after = (/** @type {number} */ ms, /** @type {() => void} */ fn) => {
    const entry = { at: this.ms + ms, fn };
    this.#due.push(entry);
    return () => void (this.#due = this.#due.filter((other) => other !== entry));
  };

  /** How many timers are set. */
  get timers() {
    return this.#due.length;
  }

  /** @param {number} ms */
  pass(ms) {
    const end = this.ms + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((other) => other !== next);
      this.ms = next.at;
      next.fn();
    }
    this.ms = end;
  }
}

/** Lets everything that is decided already happen. */
export async function settled() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
