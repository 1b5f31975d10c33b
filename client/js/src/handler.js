/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */
/** @typedef {import("./runningcall.js").HandlerFunction} HandlerFunction */

/**
 * Where a handler stands with the broker: it was not answered yet; it is handed calls; it was refused; it was
 * taken away, or the client has ended.
 * @typedef {"waiting" | "registered" | "refused" | "ended"} HandlerState
 */

/**
 * A function that answers calls of a method, registered at the broker, and again after each loss.
 *
 * What the function throws, but for `CallError`, is told by the client event `error`, and so is a refusal of
 * the broker; after a new connection it is asked again.
 */
export class Handler {
  /** @type {HandlerState} */
  #state = "waiting";
  #end;
  #maxCalls;
  #running = 0;
  /** @type {Promise<void>} */
  #ready;
  /** @type {(error: SwarmwireError | null) => void} */
  #answered = () => {};

  /**
   * @param {string} method
   * @param {HandlerFunction} run
   * @param {number} maxCalls
   * @param {(handler: Handler) => void} end
   */
  constructor(method, run, maxCalls, end) {
    /** What it answers. */
    this.method = method;
    this.run = run;
    this.#maxCalls = maxCalls;
    this.#end = end;
    this.#ready = this.#wait();
  }

  /**
   * Resolves once the broker hands it calls.
   *
   * It rejects with a SwarmwireError: what the broker answered; CANCELLED where it was taken away; why the
   * client has ended.
   * @returns {Promise<void>}
   */
  get ready() {
    return this.#ready;
  }

  /** Whether the broker hands it calls. */
  get isRegistered() {
    return this.#state === "registered";
  }

  /** Answer no more calls; those that run go on. Harmless twice. */
  close() {
    this.#end(this);
  }

  // ---- For the client's handlers

  /**
   * The one place where the state changes.
   * @param {HandlerState} state
   * @param {SwarmwireError | null} [error]
   */
  become(state, error = null) {
    if (this.#state === "ended") return;
    if (this.#state !== "waiting") this.#ready = this.#wait();
    this.#state = state;
    if (state !== "waiting") this.#answered(error);
  }

  /** Count one more call that runs; false where there are as many as may be. */
  take() {
    if (this.#running >= this.#maxCalls) return false;
    this.#running += 1;
    return true;
  }

  /** A call that was taken runs no more. */
  done() {
    this.#running -= 1;
  }

  /** @returns {Promise<void>} */
  #wait() {
    const ready = new Promise((resolve, reject) => {
      this.#answered = (error) => (error === null ? resolve(undefined) : reject(error));
    });
    ready.catch(nothing); // nobody has to look at it
    return ready;
  }
}

function nothing() {}
