import { disconnected } from "./core.js";
import { SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./core.js").Core} Core */

/**
 * What has to come to its end before a client leaves.
 * @typedef {object} Works
 * @property {{ drain: (timeoutMs: number) => Promise<void> }} publisher
 * @property {{ finish: (timeoutMs: number) => Promise<void> }} handlers
 */

/** How a client begins and how it ends. */
export class Lifecycle {
  #core;
  #supervisor;
  #works;
  /** @type {Promise<void> | null} */
  #life = null;
  /** @type {Promise<void> | null} */
  #goodbye = null;

  /**
   * @param {Core} core
   * @param {import("./supervisor.js").Supervisor} supervisor
   * @param {Works} works
   */
  constructor(core, supervisor, works) {
    this.#core = core;
    this.#supervisor = supervisor;
    this.#works = works;
  }

  /**
   * Connect, and resolve at the first welcome.
   * @returns {Promise<void>}
   * @throws {SwarmwireError} when there is none, and none is to be expected
   */
  async start() {
    this.#core.checkOpen();
    this.#life ??= this.#live();
    await Promise.race([this.#supervisor.first, this.#life]);
    this.#core.checkOpen();
  }

  /**
   * Leave for good.
   * @returns {Promise<void>}
   */
  end() {
    this.#goodbye ??= this.#leave();
    return this.#goodbye;
  }

  /**
   * Wait until there will be no connection any more.
   * @returns {Promise<void>}
   * @throws {SwarmwireError} why, unless that was meant
   */
  async finished() {
    await this.#life;
    if (this.#core.error !== null) throw this.#core.error;
  }

  /** @throws {SwarmwireError} why nothing can be asked for any more */
  checkOpen() {
    this.#core.checkOpen();
    if (this.#goodbye !== null) throw disconnected();
  }

  /** Stay connected until that is over, and tell everyone. */
  async #live() {
    const error = await this.#supervisor.run().catch(ownFault);
    const wasReady = this.#core.welcome !== null;
    this.#core.end(error);
    if (error !== null && wasReady) this.#core.report(error); // before, start() throws it
  }

  async #leave() {
    const { drainTimeoutMs } = this.#core.settings;
    const { handlers, publisher } = this.#works;
    if (this.#life !== null && !this.#core.ended) {
      await handlers.finish(drainTimeoutMs);
      await Promise.race([publisher.drain(drainTimeoutMs), this.#life]);
      this.#supervisor.leave();
      await this.#life;
    }
    this.#core.end(null);
  }
}

/** @param {unknown} cause */
function ownFault(cause) {
  const what = cause instanceof Error ? cause.name : typeof cause;
  return new SwarmwireError("INTERNAL_ERROR", `The client failed with ${what}.`, { cause });
}
