import { onAbort } from "../abort.js";
import { SwarmwireError } from "../protocol/errors.js";
import { ABNORMAL, CLOSE_TIMEOUT_MS, Ending } from "./carrier.js";
import { shownUrl } from "./url.js";
import { webSocketClass } from "./websocketclass.js";

/** @typedef {import("./carrier.js").Hooks} Hooks */
/** @typedef {import("./websocketclass.js").Socket} Socket */
/** @typedef {import("./websocketclass.js").WebSocketClass} WebSocketClass */

const SUBPROTOCOL = "swarmwire.v1";
const CONNECTING = 0;
const OPEN = 1;
const PROTOCOL_ERROR = 1002;
const UNAUTHORIZED = ["401", "403"];

/** An open WebSocket. */
class WebSocketCarrier {
  /** @type {"websocket"} */
  kind = "websocket";
  #socket;
  #ending;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #cut;

  /**
   * @param {Socket} socket
   * @param {Hooks} hooks
   */
  constructor(socket, hooks) {
    this.#socket = socket;
    this.#ending = new Ending(hooks);
    socket.addEventListener("message", this.#heard);
    socket.addEventListener("close", this.#closed);
  }

  get buffered() {
    return this.#socket.bufferedAmount;
  }

  /** @param {string} text */
  send(text) {
    if (this.#socket.readyState === OPEN && !this.#ending.silent) this.#socket.send(text);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  close(code, reason) {
    if (this.#ending.silent) return;
    this.#ending.hush();
    this.#cut = setTimeout(() => this.abort(), CLOSE_TIMEOUT_MS);
    this.#say(code, reason);
  }

  abort() {
    this.#end(ABNORMAL, "", false);
    if (this.#socket.terminate) this.#socket.terminate();
    else this.#say(1000, "");
  }

  /**
   * Browsers let a page name few codes; those it may not name stand in the `bye`.
   * @param {number} code
   * @param {string} reason
   */
  #say(code, reason) {
    if (code === 1000 || (code >= 3000 && code < 5000)) this.#socket.close(code, reason.slice(0, 40));
    else this.#socket.close();
  }

  /** @param {{ data: unknown }} event */
  #heard = ({ data }) => {
    if (typeof data === "string") this.#ending.message(data);
    else this.close(PROTOCOL_ERROR, "Expected text, got a binary message.");
  };

  /** @param {{ code: number, reason: string, wasClean: boolean }} event */
  #closed = ({ code, reason, wasClean }) => this.#end(code, reason, wasClean);

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} clean
   */
  #end(code, reason, clean) {
    clearTimeout(this.#cut);
    this.#socket.removeEventListener("message", this.#heard);
    this.#socket.removeEventListener("close", this.#closed);
    this.#ending.end(code, reason, clean);
  }
}

/**
 * Open a WebSocket to a broker.
 * @param {string} url
 * @param {Hooks} hooks
 * @param {{ WebSocket?: WebSocketClass, signal?: AbortSignal }} [options]
 * @returns {Promise<import("./carrier.js").Carrier>}
 * @throws {SwarmwireError} INVALID_MESSAGE for a URL that is none, AUTHENTICATION_FAILED and UNAVAILABLE
 */
export async function dialWebSocket(url, hooks, { WebSocket, signal } = {}) {
  const Class = await webSocketClass(WebSocket);
  signal?.throwIfAborted();
  const socket = made(Class, url);
  await opened(socket, url, signal);
  return new WebSocketCarrier(socket, hooks);
}

/**
 * @param {WebSocketClass} Class
 * @param {string} url
 */
function made(Class, url) {
  try {
    // The browser's takes no third argument, and passes it over.
    return new Class(url, [SUBPROTOCOL], { perMessageDeflate: false });
  } catch (cause) {
    throw new SwarmwireError(
      "INVALID_MESSAGE",
      `Expected a URL such as wss://host/ws that a WebSocket may be opened at, got ${shownUrl(url)}.`,
      { field: "url", cause },
    );
  }
}

/**
 * @param {Socket} socket
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function opened(socket, url, signal) {
  return new Promise((resolve, reject) => {
    const done = () => {
      socket.removeEventListener("open", open);
      socket.removeEventListener("close", failed);
      forget();
    };
    const open = () => {
      done();
      resolve();
    };
    /** @param {{ message?: string }} event */
    const failed = (event) => {
      done();
      reject(refusal(url, event.message));
    };
    const aborted = () => {
      done();
      if (socket.readyState === CONNECTING) socket.close();
      reject(signal?.reason);
    };
    // It stays: an `error` that nobody hears would end a Node process.
    socket.addEventListener("error", failed);
    socket.addEventListener("open", open);
    socket.addEventListener("close", failed);
    const forget = onAbort(signal, aborted);
  });
}

/**
 * Why a WebSocket did not open. Browsers do not say; `ws` does.
 * @param {string} url
 * @param {string} [message]
 */
function refusal(url, message = "") {
  const status = /\b(\d{3})$/.exec(message)?.[1];
  const isLogin = status !== undefined && UNAUTHORIZED.includes(status);
  const code = isLogin ? "AUTHENTICATION_FAILED" : "UNAVAILABLE";
  const why = message === "" ? "the connection was refused or blocked" : message;
  return new SwarmwireError(code, `No WebSocket could be opened at ${shownUrl(url)}: ${why}.`);
}
