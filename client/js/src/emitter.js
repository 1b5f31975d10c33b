import { wrong } from "./options.js";

/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */

/**
 * What the listeners of each client event are called with.
 * @typedef {object} ClientEvents
 * @property {{ id: string }} connected the broker's name for the connection
 * @property {import("./protocol/messages.js").Identity} authenticated who the broker takes the client for
 * @property {{ code: number, reason: string }} disconnected
 * @property {{ attempt: number, delayMs: number, error: SwarmwireError }} reconnecting
 * @property {undefined} resumed every subscription was acknowledged again
 * @property {import("./events.js").Gap} gap
 * @property {{ latencyMs: number }} pong
 * @property {unknown} error what no caller waits for: an Error, or whatever a function of yours threw
 * @property {import("./events.js").Event} message what another client sent to this one
 * @property {{ state: import("./core.js").State, error: SwarmwireError | null }} state
 */

/** @typedef {keyof ClientEvents} ClientEventName */

/**
 * @template {ClientEventName} K
 * @typedef {(detail: ClientEvents[K]) => unknown} Listener
 */

/** @type {readonly ClientEventName[]} */
export const CLIENT_EVENTS = Object.freeze([
  "connected",
  "authenticated",
  "disconnected",
  "reconnecting",
  "resumed",
  "gap",
  "pong",
  "error",
  "message",
  "state",
]);

/** Calls listeners in the order they came. One that fails stops neither the others nor the caller. */
export class Emitter {
  /** @type {Map<string, Set<{ call: (detail: any) => unknown }>>} */
  #listeners = new Map(CLIENT_EVENTS.map((name) => [name, new Set()]));

  /**
   * Call `listener` at every event of that name; returns a function that ends it, harmless twice.
   * @template {ClientEventName} K
   * @param {K} name
   * @param {Listener<K>} listener
   * @returns {() => void}
   * @throws {SwarmwireError} INVALID_MESSAGE for a name that is not in `CLIENT_EVENTS`, and for what is no
   *   function
   */
  listen(name, listener) {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) {
      throw wrong("name", `the name of a client event (${CLIENT_EVENTS.join(", ")})`, name);
    }
    if (typeof listener !== "function") throw wrong("listener", "a function", listener);
    const entry = { call: listener };
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
    };
  }

  /**
   * Tell all listeners of the event. Never throws.
   * @template {ClientEventName} K
   * @param {K} name
   * @param {ClientEvents[K]} detail
   */
  emit(name, detail) {
    for (const listener of this.#of(name)) void this.#call(name, listener, detail);
  }

  /**
   * Tell all listeners of the event, one after the other, and wait until they are done. Never rejects.
   * @template {ClientEventName} K
   * @param {K} name
   * @param {ClientEvents[K]} detail
   */
  async hand(name, detail) {
    for (const listener of this.#of(name)) await this.#call(name, listener, detail);
  }

  /**
   * Whether anybody listens to this event.
   * @param {ClientEventName} name
   */
  has(name) {
    return this.#of(name).length > 0;
  }

  /**
   * Something failed that no caller waits for: tell the listeners of `error`, and the console where there are
   * none.
   * @param {unknown} error
   */
  report(error) {
    if (this.has("error")) this.emit("error", error);
    else console.warn("swarmwire:", error);
  }

  /** @param {ClientEventName} name */
  #of(name) {
    return [...(this.#listeners.get(name) ?? [])];
  }

  /**
   * @param {ClientEventName} name
   * @param {{ call: (detail: any) => unknown }} listener
   * @param {unknown} detail
   */
  async #call(name, listener, detail) {
    try {
      await listener.call(detail);
    } catch (error) {
      if (name === "error") console.error("swarmwire: a listener of the error event failed:", error);
      else this.report(error);
    }
  }
}
