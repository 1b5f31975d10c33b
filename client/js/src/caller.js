import { checkNames } from "./options.js";
import { checkPatience, patienceOf, watchPatience } from "./patience.js";
import { ReplyStream } from "./replystream.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */

/**
 * @typedef {object} CallOptions
 * @property {number | null} [timeoutMs] after which it fails with TIMEOUT; Infinity: as long as the broker
 *   lets it run
 * @property {AbortSignal} [signal] gives it up, and tells the handler
 */

const OPTIONS = ["timeoutMs", "signal"];
/** The longest a call may take where the broker does not say. */
const DAY_MS = 86_400_000;

/** Asks and waits. Nothing here is ever sent twice. */
export class Caller {
  #core;
  #requests;

  /**
   * @param {Core} core
   * @param {Requests} requests
   */
  constructor(core, requests) {
    this.#core = core;
    this.#requests = requests;
  }

  /**
   * Call a method; returns its answer. Of a streamed answer that is the last reply.
   * @param {string} method
   * @param {unknown} [params]
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   * @throws {SwarmwireError} what the broker or the handler answered; TIMEOUT; UNAVAILABLE where there is no
   *   connection; OUTCOME_UNKNOWN where it was lost before the answer
   */
  async call(method, params, options = {}) {
    const ms = this.#patience(options);
    const message = this.#message(method, params, ms);
    const answer = await this.#requests.request(message, { timeoutMs: ms, signal: options.signal });
    return answer.type === "reply" ? answer.data : null;
  }

  /**
   * Call a method, and read its replies as they come. It is sent when the first is asked for.
   * @param {string} method
   * @param {unknown} [params]
   * @param {CallOptions} [options]
   */
  stream(method, params, options = {}) {
    const ms = this.#patience(options);
    const wait = { what: "call", ms, signal: options.signal };
    return new ReplyStream((replies) => {
      checkPatience(wait);
      const giveUp = this.#requests.ask(this.#message(method, params, ms), replies);
      const release = watchPatience(this.#core.clock, wait, (error) => replies.lost(error));
      return { giveUp, release };
    }, this.#core.settings.queueSize);
  }

  /** @param {CallOptions} options */
  #patience(options) {
    checkNames(options, OPTIONS);
    return patienceOf(options.timeoutMs, this.#core.settings.requestTimeoutMs);
  }

  /**
   * @param {string} method
   * @param {unknown} params
   * @param {number} ms
   */
  #message(method, params, ms) {
    const longest = this.#core.welcome?.limits.max_call_timeout_ms ?? DAY_MS;
    const timeout_ms = ms === Infinity ? longest : Math.max(1, Math.round(ms));
    return { type: "call", method, params: params ?? undefined, timeout_ms };
  }
}
