/** @typedef {import("./clock.js").Clock} Clock */

/** Messages that are unanswered at once; more wait for their turn. */
export const IN_FLIGHT = 4096;

/** A broker that has enough gets fewer at once, but never fewer than this. */
const LEAST_IN_FLIGHT = 16;

/** Milliseconds after which a full socket is looked at again: none says when it has room. */
export const LOOK_MS = 10;

/** How many messages may be unanswered at once on a connection, and when none is to be written. */
export class Pace {
  #clock;
  #goOn;
  #window = IN_FLIGHT;
  /**
   * Until when nothing is written, on the steady clock; null: it flows.
   * @type {number | null}
   */
  #heldUntil = null;
  #stopTimer = () => {};

  /**
   * @param {Clock} clock
   * @param {() => void} goOn called when a hold is over
   */
  constructor(clock, goOn) {
    this.#clock = clock;
    this.#goOn = goOn;
  }

  /**
   * Whether one more may be written while so many are unanswered.
   * @param {number} unanswered
   */
  admits(unanswered) {
    return this.#heldUntil === null && unanswered < this.#window;
  }

  /** The broker took one: from now on one more may be unanswered. */
  widen() {
    this.#window = Math.min(IN_FLIGHT, this.#window + 1);
  }

  /**
   * The broker has enough for so long: write nothing until then, and fewer at once after it.
   * @param {number} ms
   */
  narrow(ms) {
    // What is refused during a hold was written before it, and is no reason for still fewer.
    if (this.#heldUntil === null) this.#window = Math.max(LEAST_IN_FLIGHT, this.#window >> 1);
    this.hold(ms);
  }

  /**
   * Write nothing for so long.
   * @param {number} ms
   */
  hold(ms) {
    const until = this.#clock.now() + Math.max(ms, LOOK_MS);
    if (this.#heldUntil !== null && this.#heldUntil >= until) return;
    this.#flow();
    this.#heldUntil = until;
    this.#stopTimer = this.#clock.after(until - this.#clock.now(), () => {
      this.#flow();
      this.#goOn();
    });
  }

  /** Begin anew, as on a connection of which nothing is known. */
  reset() {
    this.#flow();
    this.#window = IN_FLIGHT;
  }

  #flow() {
    this.#stopTimer();
    this.#heldUntil = null;
  }
}
