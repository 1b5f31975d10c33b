/**
 * How a connection ended, as its transport saw it.
 * @typedef {object} Closed
 * @property {number} code the close code; `ABNORMAL` where the connection ended without one, as streams
 *   always do
 * @property {string} reason a sentence for people, perhaps empty
 * @property {boolean} clean whether the other side meant it
 */

/**
 * Who hears a connection. `onClose` is called once, and last.
 * @typedef {object} Hooks
 * @property {(text: string) => void} onMessage
 * @property {(closed: Closed) => void} onClose
 */

/**
 * An open connection that carries messages.
 * @typedef {object} Carrier
 * @property {(text: string) => void} send after the end it does nothing
 * @property {(code: number, reason: string) => void} close writes out what was sent, then ends; cut after two
 *   seconds
 * @property {() => void} abort cuts at once
 * @property {number} buffered bytes, about, that were sent and not yet written
 * @property {"websocket" | "unix" | "http"} kind
 */

/** The close code of a connection that ended without a word. */
export const ABNORMAL = 1006;

/** Milliseconds that a closing connection gets for its last bytes. */
export const CLOSE_TIMEOUT_MS = 2000;

/** The largest message, in bytes, that is taken from a broker. */
export const MAX_RECEIVED_BYTES = 64 * 1024 * 1024;

/**
 * The hooks of one connection, of which nothing is heard twice and nothing after the end.
 */
export class Ending {
  /** @type {Hooks | null} */
  #hooks;
  #silent = false;

  /** @param {Hooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  get over() {
    return this.#hooks === null;
  }

  /** Whether messages that come are of no interest any more. */
  get silent() {
    return this.#silent || this.over;
  }

  /** Let no message through from now on. */
  hush() {
    this.#silent = true;
  }

  /** @param {string} text */
  message(text) {
    if (!this.silent) this.#hooks?.onMessage(text);
  }

  /**
   * The connection is over; the first word counts. Told in a turn of its own, as a socket would.
   * @param {number} code
   * @param {string} reason
   * @param {boolean} [clean]
   */
  end(code, reason, clean = false) {
    const hooks = this.#hooks;
    this.#hooks = null;
    if (hooks !== null) queueMicrotask(() => hooks.onClose({ code, reason, clean }));
  }
}
