/**
 * A call that is made again and again as long as somebody wants its answer. What fails is tried again
 * later.
 */

/** @typedef {{message: string, code: string}} Failure */
/** @typedef {import("./frames.js").Clock} Clock */

/** Codes that say that asking again is in vain, until the next login. */
const DENIALS = new Set(["PERMISSION_DENIED", "METHOD_NOT_FOUND"]);

/** @param {unknown} fault @returns {Failure} */
export function failureOf(fault) {
  const { code, message } = /** @type {Partial<Failure>} */ (fault instanceof Error ? fault : {});
  return { code: code ?? "INTERNAL_ERROR", message: message ?? String(fault) };
}

export class Poll {
  /** @type {string|null} what permission is missing */
  denied = null;
  #ask;
  #take;
  #everyMs;
  #clock;
  #isWanted;
  /** @type {(() => void)|null} */
  #stop = null;
  #run = 0;

  /**
   * @param {object} what
   * @param {() => Promise<unknown>} what.ask
   * @param {(answer: any) => void} what.take
   * @param {number} what.everyMs
   * @param {() => boolean} [what.isWanted]  asked before each call
   * @param {Clock} clock
   */
  constructor({ ask, take, everyMs, isWanted = () => true }, clock) {
    this.#ask = ask;
    this.#take = take;
    this.#everyMs = everyMs;
    this.#isWanted = isWanted;
    this.#clock = clock;
  }

  /** There is a connection: begin. */
  start() {
    this.stop();
    this.denied = null;
    void this.#again(this.#run);
  }

  /** The connection is gone; what is still answered is not taken. */
  stop() {
    this.#run += 1;
    this.#stop?.();
    this.#stop = null;
  }

  /** Ask now rather than at the next turn, as somebody has begun to look. */
  hurry() {
    if (this.#stop === null) return;
    this.#stop();
    this.#stop = null;
    void this.#again(this.#run);
  }

  /** @param {number} run */
  async #again(run) {
    if (this.#isWanted()) await this.#once(run);
    if (run !== this.#run || this.denied !== null) return;
    this.#stop = this.#clock.after(this.#everyMs, () => {
      this.#stop = null;
      void this.#again(run);
    });
  }

  /** @param {number} run */
  async #once(run) {
    try {
      const answer = await this.#ask();
      if (run === this.#run) this.#take(answer);
    } catch (fault) {
      const { code, message } = failureOf(fault);
      if (run === this.#run && DENIALS.has(code)) this.denied = message;
    }
  }
}
