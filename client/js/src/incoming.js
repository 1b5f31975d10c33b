/** The most characters of messages that wait for readers to have their turn. */
const PATIENCE_CHARS = 8 * 1024 * 1024;

/**
 * The messages that came and wait to be taken, in order. A burst is no slow reader: after a message that
 * leaves an iterator more than half full, whoever iterates gets a turn before the next, as long as the
 * patience with them lasts.
 */
export class Incoming {
  #clock;
  #subscriptions;
  #take;
  #drained;
  /** @type {string[]} */
  #waiting = [];
  #chars = 0;
  #open = false;
  #busy = false;

  /**
   * @param {import("./clock.js").Clock} clock
   * @param {import("./subscriptions.js").Subscriptions} subscriptions
   * @param {object} hooks
   * @param {(text: string) => void} hooks.take
   * @param {() => void} hooks.drained called whenever nothing waits any more
   */
  constructor(clock, subscriptions, { take, drained }) {
    this.#clock = clock;
    this.#subscriptions = subscriptions;
    this.#take = take;
    this.#drained = drained;
  }

  /** @param {string} text */
  put(text) {
    this.#waiting.push(text);
    this.#chars += text.length;
    this.drain();
  }

  /** Begin to take what comes, and what came before. */
  open() {
    this.#open = true;
    this.drain();
  }

  /** Forget what waits, and take nothing more. */
  close() {
    this.#open = false;
    this.#waiting = [];
    this.#chars = 0;
  }

  /** Take what waits, unless that is being done. */
  drain() {
    if (this.#busy || !this.#open) return;
    this.#busy = true;
    for (let next = 0; next < this.#waiting.length; ) {
      const text = this.#waiting[next];
      next += 1;
      this.#chars -= text.length;
      this.#take(text);
      if (this.#subscriptions.pressed && this.#chars < PATIENCE_CHARS) {
        this.#goOnSoon(next);
        return;
      }
    }
    this.#waiting = [];
    this.#chars = 0;
    this.#busy = false;
    this.#drained();
  }

  /** @param {number} taken */
  #goOnSoon(taken) {
    this.#subscriptions.pressed = false;
    this.#waiting.splice(0, taken);
    this.#clock.soon(() => {
      this.#busy = false;
      this.drain();
    });
  }
}
