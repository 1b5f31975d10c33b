import { SwarmwireError } from "../protocol/errors.js";
import { isNode } from "./platform.js";
import { httpBase } from "./url.js";

/**
 * What a user said about where the broker is.
 * @typedef {object} Wanted
 * @property {string | null} [url]
 * @property {string} [broker] its name; of this machine, where there is no URL
 */

const DEFAULT_NAME = "swarmwire";
const DEFAULT_URL = "ws://127.0.0.1:8765/ws";

/**
 * The URLs at which the broker may be, the best first. To be asked before each connection, so that one that
 * comes back by another way is found.
 *
 * A browser's page without a URL means the broker that served it. In Node it is the URL of `SWARMWIRE_URL`,
 * else the broker of this machine: its Unix socket, then the usual port.
 * @param {Wanted} wanted
 * @returns {Promise<string[]>}
 * @throws {SwarmwireError} INVALID_MESSAGE for a name that is none, and for a page that no broker served
 */
export async function places({ url, broker }) {
  if (typeof url === "string") return [url];
  if (!isNode()) return [pageUrl()];
  const said = process.env.SWARMWIRE_URL;
  if (said && broker === undefined) return [said];
  const { localSockets } = await import("./localsockets.js");
  return [...localSockets(broker ?? DEFAULT_NAME), DEFAULT_URL];
}

/**
 * The name that the broker must say it has; null where any will do.
 * @param {Wanted} wanted
 */
export function expectedName({ url, broker }) {
  if (broker !== undefined) return broker;
  const isSaid = typeof url === "string" || !isNode() || process.env.SWARMWIRE_URL;
  return isSaid ? null : DEFAULT_NAME;
}

/** The WebSocket beside the page; a worker's beside its script. */
function pageUrl() {
  const page = globalThis.document?.baseURI ?? globalThis.location?.href ?? "";
  if (!/^https?:/.test(page)) {
    throw new SwarmwireError("INVALID_MESSAGE", "A page that no server served needs the URL of a broker.", {
      field: "url",
    });
  }
  return `${httpBase(page).replace(/^http/, "ws")}ws`;
}
