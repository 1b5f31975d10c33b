/** @typedef {import("./clock.js").Clock} Clock */

/**
 * What became of a publish.
 * @typedef {object} Published
 * @property {number | null} seq the place of the event in the log; null where it was ephemeral
 * @property {boolean} duplicate whether its key was seen before: nobody got it again, and `seq` is that of
 *   the first
 */

/**
 * A moment on both clocks: one of them stands still while a computer sleeps, the other can be set.
 * @typedef {{ steady: number, date: number }} Stamp
 */

/**
 * What a publish is made of. Without an `id` its caller learns nothing of it; without a `key` it is written
 * once only.
 * @typedef {object} PublishParts
 * @property {string} text the message, as it is written each time
 * @property {number | null} id
 * @property {string | null} key
 * @property {number} deadline until when its caller waits, on the steady clock; Infinity: without a limit
 * @property {(published: Published | null) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/** One publish on its way. */
export class PendingPublish {
  /** @type {any} */
  before = null;
  /** @type {any} */
  behind = null;
  /** @type {any} */
  queue = null;
  /**
   * When the first attempt was written of which it is not known that nothing was done.
   * @type {Stamp | null}
   */
  written = null;
  /** The log that was current then. */
  epoch = "";
  /** Whose keys the broker took ours for then. */
  scope = "";
  /** Whether an attempt was lost with its connection, and may have been done. */
  doubtful = false;
  /** Whether its caller was told what became of it. */
  settled = false;
  /**
   * Until when it is sent again after a refusal that passes; null before there was one.
   * @type {number | null}
   */
  #patience = null;
  #parts;
  #release = nothing;

  /** @param {PublishParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  get text() {
    return this.#parts.text;
  }

  get id() {
    return this.#parts.id;
  }

  get key() {
    return this.#parts.key;
  }

  /** @param {() => void} release called once its outcome is known */
  set release(release) {
    this.#release = release;
  }

  /** @param {Published | null} published */
  succeed(published) {
    this.settled = true;
    this.#release();
    this.#parts.resolve(published);
  }

  /** @param {unknown} error */
  fail(error) {
    this.settled = true;
    this.#release();
    this.#parts.reject(error);
  }

  /**
   * It was refused, and nothing was done. False where its caller's patience ends before it may be sent again.
   * @param {number} now on the steady clock
   * @param {number} pauseMs before it may be sent again
   * @param {number} patienceMs how long refusals are put up with
   */
  outlasts(now, pauseMs, patienceMs) {
    this.#patience ??= now + patienceMs;
    return now + pauseMs < Math.min(this.#patience, this.#parts.deadline);
  }
}

function nothing() {}

/**
 * The present moment.
 * @param {Clock} clock
 * @returns {Stamp}
 */
export function stampOf(clock) {
  return { steady: clock.now(), date: clock.date() };
}

/**
 * The milliseconds between two moments, rather too many than too few.
 * @param {Stamp} then
 * @param {Stamp} now
 */
export function ageOf(then, now) {
  return Math.max(now.steady - then.steady, now.date - then.date);
}
