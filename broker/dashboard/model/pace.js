/**
 * How often things happen, for any number of counters that share one clock. A counter keeps two numbers: what
 * the running generation brought and what the one before did. So counting is an addition, nothing has to be
 * swept, and a rate is worked out only for what is looked at.
 */

/** @typedef {{generation: number, current: number, former: number}} Counter */

/** No rate is told of less than this: the first event after the start is no storm. */
const SHORTEST_MS = 1000;

/** The shortest generation. */
const SHORTEST_LENGTH_MS = 3000;
/** Ticks of a conflated stream in one generation: with fewer, rates would jump with each. */
const TICKS = 4;

/** @returns {Counter} */
export function makeCounter() {
  return { generation: 0, current: 0, former: 0 };
}

export class Pace {
  generation = 1;
  /** How long a generation lasts at least; a few ticks of the conflated stream, which come all at once. */
  lengthMs = SHORTEST_LENGTH_MS;
  #beganMs;
  #formerMs = 0;
  #tickMs = 0;
  /** When something was last counted, as far as the turns tell. */
  #heardMs = -Infinity;
  #isHeard = false;

  /** @param {number} nowMs */
  constructor(nowMs) {
    this.#beganMs = nowMs;
  }

  /** Fits the generations to a stream that comes in ticks. @param {number} tickMs */
  fit(tickMs) {
    this.#tickMs = tickMs;
    this.lengthMs = Math.max(SHORTEST_LENGTH_MS, TICKS * tickMs);
  }

  /** Begins a new generation if it is time; to be called a few times a second. @param {number} nowMs */
  turn(nowMs) {
    if (this.#isHeard) this.#heardMs = nowMs;
    this.#isHeard = false;
    const lasted = this.#lasted(nowMs);
    if (lasted < this.lengthMs) return;
    this.generation += 1;
    this.#formerMs = lasted;
    this.#beganMs += lasted;
  }

  /** @param {Counter} counter @param {number} weight */
  count(counter, weight) {
    if (counter.generation !== this.generation) this.#age(counter);
    counter.current += weight;
    this.#isHeard = true;
  }

  /** A second, over this generation and the one before. @param {Counter} counter @param {number} nowMs */
  rate(counter, nowMs) {
    const missed = this.generation - counter.generation;
    if (missed > 1) return 0;
    const sum = missed === 1 ? counter.current : counter.current + counter.former;
    return (sum * 1000) / Math.max(SHORTEST_MS, this.#formerMs + this.#lasted(nowMs));
  }

  /**
   * How long this generation is. What happened since the last tick has not come yet, and the time since then
   * is no time of silence.
   * @param {number} nowMs
   */
  #lasted(nowMs) {
    return Math.max(0, Math.max(this.#heardMs, nowMs - this.#tickMs) - this.#beganMs);
  }

  /** @param {Counter} counter */
  #age(counter) {
    counter.former = counter.generation === this.generation - 1 ? counter.current : 0;
    counter.current = 0;
    counter.generation = this.generation;
  }
}
