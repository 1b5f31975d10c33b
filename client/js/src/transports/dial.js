import { SwarmwireError } from "../protocol/errors.js";
import { dialWithFallback } from "./fallback.js";
import { isNode } from "./platform.js";
import { shownUrl } from "./url.js";
import { dialWebSocket } from "./websocket.js";

/** @typedef {import("./carrier.js").Carrier} Carrier */
/** @typedef {import("./carrier.js").Hooks} Hooks */

/**
 * @typedef {object} DialOptions
 * @property {import("./websocketclass.js").WebSocketClass} [WebSocket] to use instead of the platform's
 * @property {boolean} [fallback] whether to go on over HTTP where WebSockets are blocked; by default true
 * @property {AbortSignal} [signal] gives the attempt up
 */

/** @type {Record<string, (url: string, hooks: Hooks, options: DialOptions) => Promise<Carrier>>} */
const TRANSPORTS = {
  ws: webSocket,
  wss: webSocket,
  http: overHttp,
  https: overHttp,
  unix: unixSocket,
};

/**
 * Open a connection to a broker, by the transport that the scheme of the URL names.
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} [options]
 * @returns {Promise<Carrier>}
 * @throws {SwarmwireError} INVALID_MESSAGE for a URL that no attempt makes a better one,
 *   AUTHENTICATION_FAILED for a refused handshake, UNAVAILABLE where nobody answers; and the reason of the
 *   signal
 */
export async function dial(url, hooks, options = {}) {
  const scheme = /^([a-z]+):\/\//i.exec(url)?.[1].toLowerCase() ?? "";
  if (!Object.hasOwn(TRANSPORTS, scheme)) {
    const schemes = Object.keys(TRANSPORTS).map((each) => `${each}://`);
    throw new SwarmwireError(
      "INVALID_MESSAGE",
      `Expected a URL that begins with one of ${schemes.join(", ")}, got ${shownUrl(url)}.`,
      { field: "url" },
    );
  }
  options.signal?.throwIfAborted();
  return TRANSPORTS[scheme](url, hooks, options);
}

/**
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} options
 */
function webSocket(url, hooks, options) {
  const open = options.fallback === false ? dialWebSocket : dialWithFallback;
  return open(url, hooks, options);
}

/**
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} options
 */
async function overHttp(url, hooks, options) {
  const { dialHttp } = await import("./http.js");
  return dialHttp(url, hooks, options);
}

/**
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} options
 */
async function unixSocket(url, hooks, options) {
  if (!isNode()) {
    const sentence = "A browser has no Unix sockets; use a URL with ws:// or http://.";
    throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: "url" });
  }
  const { dialUnixSocket } = await import("./unixsocket.js");
  return dialUnixSocket(url, hooks, options);
}
