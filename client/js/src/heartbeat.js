/** @typedef {import("./clock.js").Clock} Clock */

const SILENT_BEATS = 2;

/** Milliseconds in which a connection that may be gone has to show that it is not. */
export const PROBE_MS = 5000;

/**
 * Tells a connection that is silent for too long, and keeps the broker from thinking so of us. A process that
 * was held up itself, as hidden tabs and sleeping machines are, blames nobody for the silence.
 */
export class Heartbeat {
  #clock;
  #hooks;
  #beatMs = 0;
  #heard = 0;
  #spoke = 0;
  #answered = true;
  #stopBeat = () => {};
  #stopProbe = () => {};

  /**
   * @param {Clock} clock
   * @param {{ ping: () => void, dead: (silentMs: number) => void }} hooks
   */
  constructor(clock, hooks) {
    this.#clock = clock;
    this.#hooks = hooks;
  }

  /** @param {number} beatMs 0: nothing is watched */
  start(beatMs) {
    this.#beatMs = beatMs;
    this.heard();
    this.spoke();
    if (beatMs > 0) this.#next();
  }

  /** Something came. */
  heard() {
    this.#heard = this.#clock.now();
    this.#answered = true;
  }

  /** Something went. */
  spoke() {
    this.#spoke = this.#clock.now();
  }

  /** Ask whether the connection is still there, and take it for gone if nothing comes soon. */
  probe() {
    if (this.#answered) this.#ask();
  }

  /** Watch no more; harmless twice. */
  stop() {
    this.#stopBeat();
    this.#stopProbe();
  }

  #ask() {
    const asked = this.#clock.now();
    this.#answered = false;
    this.#hooks.ping();
    this.#stopProbe = this.#clock.after(PROBE_MS, () => {
      const waited = this.#clock.now() - asked;
      if (this.#answered) return;
      if (waited > 2 * PROBE_MS) this.#ask();
      else this.#hooks.dead(waited);
    });
  }

  #next() {
    const half = this.#beatMs / 2;
    const due = this.#clock.now() + half;
    this.#stopBeat = this.#clock.after(half, () => this.#tick(due));
  }

  /** @param {number} due */
  #tick(due) {
    const now = this.#clock.now();
    if (now - due > this.#beatMs / 2) this.#heard = now;
    const silent = now - this.#heard;
    if (silent >= SILENT_BEATS * this.#beatMs) {
      this.#hooks.dead(silent);
      return;
    }
    if (now - this.#spoke >= this.#beatMs) this.#hooks.ping();
    this.#next();
  }
}
