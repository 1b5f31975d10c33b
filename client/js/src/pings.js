import { Disconnected, SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./core.js").Core} Core */

/**
 * @typedef {object} Sent
 * @property {number} at by the clock
 * @property {((latencyMs: number) => void)} resolve
 * @property {((error: SwarmwireError) => void)} reject
 */

/** Pings that wait for their pongs. */
export class Pings {
  #core;
  /** @type {Map<number, Sent>} */
  #sent = new Map();

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
  }

  /** Send a ping that nobody waits for; its pong is told as the client event `pong`. */
  send() {
    this.#send(nobody, nobody);
  }

  /**
   * The milliseconds that a message takes to the broker and back.
   * @returns {Promise<number>}
   * @throws {SwarmwireError} UNAVAILABLE without a connection, TIMEOUT
   */
  ask() {
    const timeoutMs = this.#core.settings.requestTimeoutMs;
    return new Promise((resolve, reject) => {
      if (this.#core.wire === null) {
        const offline = new Disconnected("There is no connection for this ping; it was not sent.");
        reject(this.#core.error ?? offline);
        return;
      }
      const stop = this.#core.clock.after(timeoutMs, () => {
        this.#sent.delete(stamp);
        reject(new SwarmwireError("TIMEOUT", `The ping was not answered within ${timeoutMs} ms.`));
      });
      const stamp = this.#send(
        (latencyMs) => (stop(), resolve(latencyMs)),
        (error) => (stop(), reject(error)),
      );
    });
  }

  /** @param {import("./protocol/messages.js").Pong} message */
  take(message) {
    const sent = message.ts === undefined ? undefined : this.#sent.get(message.ts);
    if (message.ts === undefined || sent === undefined) return;
    this.#sent.delete(message.ts);
    const latencyMs = this.#core.clock.now() - sent.at;
    sent.resolve(latencyMs);
    this.#core.emit("pong", { latencyMs });
  }

  /** The connection is gone. */
  lost() {
    const sent = [...this.#sent.values()];
    this.#sent.clear();
    for (const { reject } of sent) reject(new Disconnected("The connection was lost before the pong came."));
  }

  /**
   * @param {(latencyMs: number) => void} resolve
   * @param {(error: SwarmwireError) => void} reject
   */
  #send(resolve, reject) {
    let stamp = Math.floor(this.#core.clock.date());
    while (this.#sent.has(stamp)) stamp += 1;
    this.#sent.set(stamp, { at: this.#core.clock.now(), resolve, reject });
    this.#core.wire?.send({ type: "ping", ts: stamp });
    return stamp;
  }
}

function nobody() {}
