import { createConnection } from "node:net";

import { onAbort } from "../abort.js";
import { SwarmwireError } from "../protocol/errors.js";
import { FrameCutter, PREFACE, frame } from "../protocol/framing.js";
import { ABNORMAL, CLOSE_TIMEOUT_MS, Ending, MAX_RECEIVED_BYTES } from "./carrier.js";

/** @typedef {import("./carrier.js").Hooks} Hooks */
/** @typedef {import("node:net").Socket} Socket */

const PROTOCOL_ERROR = 1002;
const TOO_BIG = 1009;
const MAX_PATH = 107; // bytes that the system's address of a Unix socket holds

/** A stream of frames over a Unix socket. */
class UnixSocketCarrier {
  /** @type {"unix"} */
  kind = "unix";
  #socket;
  #ending;
  #cutter = new FrameCutter(MAX_RECEIVED_BYTES);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #cut;
  /** @type {[code: number, reason: string, clean: boolean]} */
  #closing = [ABNORMAL, "The connection was cut.", false];

  /**
   * @param {Socket} socket
   * @param {Hooks} hooks
   */
  constructor(socket, hooks) {
    this.#socket = socket;
    this.#ending = new Ending(hooks);
    socket.on("data", (bytes) => this.#take(bytes));
    socket.on("close", () => this.#end(...this.#closing));
    socket.write(PREFACE);
  }

  get buffered() {
    return this.#socket.writableLength;
  }

  /** @param {string} text */
  send(text) {
    if (!this.#ending.silent) this.#socket.write(frame(text));
  }

  /**
   * A stream has no close frame: the broker knows code and reason of the `bye`.
   * @param {number} code
   * @param {string} reason
   */
  close(code, reason) {
    if (this.#ending.silent) return;
    this.#ending.hush();
    this.#closing = [code, reason, true];
    this.#cut = setTimeout(() => this.abort(), CLOSE_TIMEOUT_MS);
    this.#socket.end();
  }

  abort() {
    this.#end(ABNORMAL, "", false);
  }

  /** @param {Uint8Array} bytes */
  #take(bytes) {
    try {
      for (const text of this.#cutter.push(bytes)) this.#ending.message(text);
    } catch (error) {
      if (!(error instanceof SwarmwireError)) throw error;
      const before = /** @type {string[]} */ (error.details);
      for (const text of before) this.#ending.message(text);
      this.#end(error.code === "MESSAGE_TOO_LARGE" ? TOO_BIG : PROTOCOL_ERROR, error.message, false);
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} clean
   */
  #end(code, reason, clean) {
    clearTimeout(this.#cut);
    this.#ending.end(code, reason, clean);
    this.#socket.destroy();
  }
}

/**
 * Connect to the Unix socket that a URL such as unix:///run/user/1000/swarmwire/swarmwire.sock names.
 * @param {string} url
 * @param {Hooks} hooks
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<import("./carrier.js").Carrier>}
 * @throws {SwarmwireError} INVALID_MESSAGE for a URL that is none, UNAVAILABLE where nobody listens
 */
export async function dialUnixSocket(url, hooks, { signal } = {}) {
  const socket = await connected(pathOf(url), signal);
  return new UnixSocketCarrier(socket, hooks);
}

/** @param {string} url */
function pathOf(url) {
  const path = /^unix:\/\/(\/.+)$/i.exec(url)?.[1];
  try {
    if (path !== undefined) return decodeURIComponent(path);
  } catch {
    // A percent sign that encodes nothing: it is no URL either.
  }
  throw new SwarmwireError(
    "INVALID_MESSAGE",
    `Expected a URL like unix:///run/user/1000/swarmwire/swarmwire.sock, got ${url}.`,
    { field: "url" },
  );
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<Socket>}
 */
function connected(path, signal) {
  if (Buffer.byteLength(path) > MAX_PATH) {
    const sentence = `The path of a Unix socket has at most ${MAX_PATH} bytes; ${path} has more.`;
    return Promise.reject(new SwarmwireError("UNAVAILABLE", sentence));
  }
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const forget = onAbort(signal, () => {
      socket.destroy();
      reject(signal?.reason);
    });
    socket.once("connect", () => {
      forget();
      resolve(socket);
    });
    // It stays: the errors of an open socket are told by its `close`.
    socket.on("error", (error) => {
      forget();
      reject(new SwarmwireError("UNAVAILABLE", why(path, error), { cause: error }));
    });
  });
}

/**
 * @param {string} path
 * @param {NodeJS.ErrnoException} error
 */
function why(path, error) {
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return `No broker listens at ${path}: there is no such file.`;
    case "ECONNREFUSED":
    case "ENOTSOCK":
      return `No broker listens at ${path}: the one that did has ended, or it is no socket.`;
    case "EACCES":
    case "EPERM":
      return `This user may not connect to ${path}.`;
    default:
      return `Nobody answers at ${path}: ${error.message}.`;
  }
}
