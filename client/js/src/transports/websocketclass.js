import { SwarmwireError } from "../protocol/errors.js";

/**
 * What a WebSocket is used for here; that of browsers and that of the package `ws` both have it.
 * @typedef {object} Socket
 * @property {number} readyState
 * @property {number} bufferedAmount
 * @property {(data: string) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {() => void} [terminate] cut without a closing handshake; only of `ws`
 * @property {(name: string, listener: (event: any) => void) => void} addEventListener
 * @property {(name: string, listener: (event: any) => void) => void} removeEventListener
 */

/** @typedef {new (url: string, protocols: string[], options?: object) => Socket} WebSocketClass */

/**
 * The package that has WebSockets for a Node without; named in a variable so that no bundler looks for it.
 */
const LIBRARY = "ws";

/**
 * The WebSocket to use: the one given, the platform's, or that of the package `ws`.
 * @param {WebSocketClass} [given]
 * @returns {Promise<WebSocketClass>}
 */
export async function webSocketClass(given) {
  const known = given ?? /** @type {WebSocketClass | undefined} */ (globalThis.WebSocket);
  if (known !== undefined) return known;
  try {
    return (await import(LIBRARY)).WebSocket;
  } catch (cause) {
    throw new SwarmwireError(
      "UNAVAILABLE",
      "This platform has no WebSocket: install the package ws, or give one by the option WebSocket.",
      { cause },
    );
  }
}
