import { Client } from "./client.js";

/** @typedef {import("./options.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */

/**
 * Connect to a broker: `const client = await connect("wss://broker.example.org/ws", { token })`.
 * @overload
 * @param {string} url
 * @param {ConnectOptions} [options]
 * @returns {Promise<Client>}
 */
/**
 * @overload
 * @param {ConnectOptions} [options]
 * @returns {Promise<Client>}
 */
/**
 * @param {string | ConnectOptions} [url] by default the broker that served the page; in Node the one of this
 *   machine
 * @param {ConnectOptions} [options]
 * @throws {SwarmwireError} when there is no welcome, and none is to be expected
 */
export async function connect(url, options) {
  return isOptions(url) ? new Client(undefined, url).start() : new Client(url, options).start();
}

/**
 * Whether it is options, and not a URL, which as an object has no fields of its own.
 * @param {string | ConnectOptions | undefined} value
 * @returns {value is ConnectOptions}
 */
function isOptions(value) {
  return typeof value === "object" && value !== null && !(value instanceof URL);
}
