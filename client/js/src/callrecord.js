/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./protocol/messages.js").Dispatch} Dispatch */

/**
 * What belongs to an error that a handler answers with.
 * @typedef {object} CallErrorParts
 * @property {string} [field] the path of the parameter at fault
 * @property {unknown} [details] any JSON value
 * @property {number} [retryAfterMs] trying again sooner is in vain
 * @property {unknown} [cause]
 */

/**
 * Throw it in a handler to answer a call with an error of your own.
 *
 * The caller gets HANDLER_FAILED with your code as `handlerCode`, the sentence and the details. UNAVAILABLE
 * and METHOD_NOT_FOUND say that nothing was done, and reach the caller as they are.
 */
export class CallError extends Error {
  /**
   * @param {string} code
   * @param {string} [message] a sentence for people
   * @param {CallErrorParts} [parts]
   * @throws {TypeError} an empty code
   */
  constructor(code, message, { field, details, retryAfterMs, cause } = {}) {
    super(message || `The handler answered ${code}.`, { cause });
    if (typeof code !== "string" || code === "") throw new TypeError("Expected a code such as OUT_OF_STOCK.");
    this.name = "CallError";
    this.code = code;
    this.field = field;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A call, as its handler sees it. */
export class Call {
  #clock;

  /**
   * @param {Dispatch} message
   * @param {AbortSignal} signal
   * @param {Clock} clock
   */
  constructor(message, signal, clock) {
    this.#clock = clock;
    /** What was called. */
    this.method = message.method;
    /**
     * The identity of who calls, stated by the broker; null for the broker's own process.
     * @type {string | null}
     */
    this.caller = message.from ?? null;
    /** When the answer comes too late, in milliseconds since 1970. */
    this.deadline = message.deadline;
    /** Aborted when nobody waits for the answer any more. */
    this.signal = signal;
  }

  /** The milliseconds until the deadline by this machine's clock, never less than 0. */
  get leftMs() {
    return Math.max(0, this.deadline - this.#clock.date());
  }
}
