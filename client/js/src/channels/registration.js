/** Handlers: each has its own subscription and its own loop, so none holds up or harms another. */

import { SwarmwireError } from "../protocol/errors.js";
import { report } from "./change.js";

/**
 * @template R
 * @typedef {import("./change.js").Change<R>} Change
 */

/**
 * @template R
 * @typedef {import("./changes.js").Changes<R>} Changes
 */

/** @typedef {import("./change.js").OnError} OnError */

/**
 * Called with each change, in order; what it returns is awaited.
 *
 * @template R
 * @typedef {(change: Change<R>) => unknown} Handler
 */

/**
 * A handler at work. One that fails is reported to `onError` and gets the next change; one that is running
 * when it is closed may finish.
 *
 * @template R
 */
export class Registration {
  #changes;
  #handler;
  #onError;
  /** @type {(error?: unknown) => void} */
  #settle = () => {};
  #isClosed = false;

  /**
   * @param {Changes<R>} changes
   * @param {Handler<R>} handler
   * @param {OnError} [onError]
   */
  constructor(changes, handler, onError) {
    this.#changes = changes;
    this.#handler = handler;
    this.#onError = onError;
    /** Fulfilled once it is subscribed; rejected where it will not be. */
    this.ready = /** @type {Promise<void>} */ (
      new Promise((fulfil, reject) => {
        this.#settle = (error) => (error === undefined ? fulfil() : reject(error));
      })
    );
    // Nobody has to wait for it: `onError` is told of a refusal as well.
    this.ready.catch(() => {});
    /** Fulfilled when no further change will be handled, and the subscription is closed. */
    this.ended = this.#run();
  }

  /**
   * End it, at once and for good; resolves when the subscription is closed, and never rejects. Harmless
   * twice.
   */
  async close() {
    this.#isClosed = true;
    this.#settle(new SwarmwireError("CANCELLED", "The handler was removed before it was subscribed."));
    try {
      await this.#changes.close();
    } catch (error) {
      report(this.#onError, error, null);
    }
  }

  async #run() {
    try {
      await this.#changes.ready;
      this.#settle();
      for await (const change of this.#changes) {
        if (this.#isClosed) {
          return;
        }
        await this.#handle(change);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {Change<R>} change */
  async #handle(change) {
    try {
      await this.#handler(change);
    } catch (error) {
      report(this.#onError, error, change.raw);
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#settle(error);
    if (!this.#isClosed) {
      report(this.#onError, error, null);
    }
  }
}
