/** How often the broker is asked for the newest event of each topic: the rarer, the more topics change. */

/** Milliseconds between ticks. */
const TEMPOS = Object.freeze([200, 500, 1000, 2000]);
/** Events a second that may come. */
const MOST = 4000;
/**
 * So few of them must be expected before ticks come more often: going back and forth costs more than it
 * gives.
 */
const FEW = 1500;
/** How long a slower tempo is kept at least. */
const PATIENCE_MS = 10000;

export class Tempo {
  conflateMs = 500;
  #changedMs = -Infinity;

  /**
   * Chooses anew; true if it is another one now.
   * @param {number} received  events a second that came
   * @param {number} nowMs
   */
  choose(received, nowMs) {
    // Half as long a tick brings twice the events, if every topic changes in each.
    const expected = (/** @type {number} */ tempo) => (received * this.conflateMs) / tempo;
    const fits = TEMPOS.find((tempo) => expected(tempo) <= (tempo < this.conflateMs ? FEW : MOST));
    const chosen = fits ?? TEMPOS[TEMPOS.length - 1];
    if (chosen === this.conflateMs) return false;
    if (chosen < this.conflateMs && nowMs - this.#changedMs < PATIENCE_MS) return false;
    this.conflateMs = chosen;
    this.#changedMs = nowMs;
    return true;
  }
}
