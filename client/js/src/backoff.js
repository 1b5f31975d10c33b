const MOST_DOUBLINGS = 60;

/** Delays that double up to a cap, each drawn from between half and all of itself. */
export class Backoff {
  /** Counts from 1 after each `reset`. */
  attempt = 0;
  #baseMs;
  #capMs;
  #draw;

  /**
   * @param {number} baseMs
   * @param {number} capMs
   * @param {() => number} [draw] a number from 0 to 1
   */
  constructor(baseMs, capMs, draw = Math.random) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#draw = draw;
  }

  /** Count one more attempt; returns the milliseconds before it. */
  next() {
    const doublings = Math.min(this.attempt, MOST_DOUBLINGS);
    this.attempt += 1;
    return Math.min(this.#capMs, this.#baseMs * 2 ** doublings) * (0.5 + 0.5 * this.#draw());
  }

  /** The connection succeeded. */
  reset() {
    this.attempt = 0;
  }
}
