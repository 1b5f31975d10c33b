import { Event } from "./events.js";
import { SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./protocol/messages.js").EventMessage} EventMessage */

/**
 * Events that somebody sent to this client itself, whatever it subscribes to. The listeners of `message` get
 * one after the other; at most `limit` of them wait. Beyond that the newest are left out, which is reported
 * once until all are handed over.
 */
export class Direct {
  #emitter;
  #limit;
  /** @type {Event[]} */
  #waiting = [];
  #working = false;
  #overflowed = false;

  /**
   * @param {import("./emitter.js").Emitter} emitter
   * @param {number} limit
   */
  constructor(emitter, limit) {
    this.#emitter = emitter;
    this.#limit = limit;
  }

  /** @param {EventMessage} message */
  take(message) {
    if (!this.#emitter.has("message")) return;
    if (this.#waiting.length >= this.#limit) {
      this.#overflow();
      return;
    }
    this.#waiting.push(new Event({ ...message, seq: undefined }, ""));
    if (!this.#working) void this.#handOver();
  }

  /** Hand over nothing more; what a listener works on it brings to its end. */
  clear() {
    this.#waiting = [];
  }

  async #handOver() {
    this.#working = true;
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      await this.#emitter.hand("message", event);
    }
    this.#working = this.#overflowed = false;
  }

  #overflow() {
    if (this.#overflowed) return;
    this.#overflowed = true;
    const sentence = `More than ${this.#limit} messages were waiting.`;
    this.#emitter.report(new SwarmwireError("SLOW_CONSUMER", sentence));
  }
}
