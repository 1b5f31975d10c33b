import { SwarmwireError } from "./protocol/errors.js";
import { VERSIONS } from "./protocol/versions.js";

/**
 * A token, or a function that fetches one: it is called anew for each connection, and before a token expires.
 * @typedef {string | (() => string | Promise<string>)} Token
 */

/**
 * Where cursors are kept over a reload of the page: `sessionStorage`, `localStorage`, or an object of your
 * own. Whoever shares one with others at the same time, as tabs do `localStorage`, needs keys of its own.
 * @typedef {object} ResumeStorage
 * @property {(key: string) => string | null} getItem
 * @property {(key: string, value: string) => void} setItem
 */

/**
 * How a client connects. Times are in milliseconds; `null` or `Infinity` is no limit, 0 is zero.
 * @typedef {object} ConnectOptions
 * @property {string} [broker] the name that the broker must have; without a URL that of the one to look for
 * @property {Token | null} [token]
 * @property {string} [name] of the program, shown to operators
 * @property {string} [kind] what sort of client it is, such as `agent` or `dashboard`
 * @property {Record<string, unknown>} [metadata] whatever the operator's login hook asks for
 * @property {boolean} [reconnect] whether to come back after a loss; by default true
 * @property {number | null} [maxAttempts] attempts to come back in a row; by default without limit
 * @property {boolean} [retryFirst] whether to go on trying where the very first connection fails; by default
 *   false
 * @property {number} [baseDelayMs] the wait before the first attempt to come back, doubled with each failure
 * @property {number} [maxDelayMs] the longest such wait
 * @property {number | null} [connectTimeoutMs] for the connection and its welcome
 * @property {number | null} [requestTimeoutMs] for an answer
 * @property {number} [queueSize] events that wait for one iterator
 * @property {number | null} [offlineQueue] publishes that wait for a connection
 * @property {number | null} [drainTimeoutMs] for what was published, at `disconnect()`
 * @property {readonly string[]} [versions] of the protocol, to be offered
 * @property {import("./transports/websocketclass.js").WebSocketClass} [WebSocket] instead of the platform's
 * @property {boolean} [fallback] whether to go on over HTTP where WebSockets are blocked; by default true
 * @property {ResumeStorage} [resumeStorage] for subscriptions with `resume`; by default the tab's
 *   `sessionStorage`
 */

/**
 * What a client was asked for, checked and complete. `Infinity` is no limit.
 * @typedef {object} Settings
 * @property {string | undefined} url
 * @property {string | undefined} broker
 * @property {Token | null} token
 * @property {string} name
 * @property {string} kind
 * @property {Record<string, unknown> | undefined} metadata
 * @property {boolean} reconnect
 * @property {number} maxAttempts
 * @property {boolean} retryFirst
 * @property {number} baseDelayMs
 * @property {number} maxDelayMs
 * @property {number} connectTimeoutMs
 * @property {number} requestTimeoutMs
 * @property {number} queueSize
 * @property {number} offlineQueue
 * @property {number} drainTimeoutMs
 * @property {readonly string[]} versions
 * @property {import("./transports/websocketclass.js").WebSocketClass | undefined} WebSocket
 * @property {boolean} fallback
 * @property {ResumeStorage | undefined} resumeStorage
 */

/** @type {Settings} */
const DEFAULTS = {
  url: undefined,
  broker: undefined,
  token: null,
  name: "swarmwire-js",
  kind: "sdk",
  metadata: undefined,
  reconnect: true,
  maxAttempts: Infinity,
  retryFirst: false,
  baseDelayMs: 500,
  maxDelayMs: 20_000,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  queueSize: 1000,
  offlineQueue: 1000,
  drainTimeoutMs: 5000,
  versions: VERSIONS,
  WebSocket: undefined,
  fallback: true,
  resumeStorage: undefined,
};

/** What may be asked for. The URL is no option. @type {readonly string[]} */
const NAMES = Object.keys(DEFAULTS).filter((name) => name !== "url");
/** Where null stands for no limit. @type {readonly string[]} */
const LIMITS = ["maxAttempts", "connectTimeoutMs", "requestTimeoutMs", "offlineQueue", "drainTimeoutMs"];
/**
 * Options that are left out by default: what is expected of each, and whether it is that.
 * @type {Readonly<Record<string, [string, (value: any) => boolean]>>}
 */
const KINDS = {
  broker: ["a string", (value) => typeof value === "string"],
  WebSocket: ["a class", (value) => typeof value === "function"],
  resumeStorage: [
    "an object with getItem and setItem",
    (value) => typeof value?.getItem === "function" && typeof value.setItem === "function",
  ],
};
/** The least value of each number. @type {Readonly<Record<string, number>>} */
const LEAST = { queueSize: 1 };

/**
 * @param {string | undefined} url
 * @param {ConnectOptions} options
 * @returns {Settings}
 * @throws {SwarmwireError} INVALID_MESSAGE for an option that there is not, or of a wrong kind, and for a URL
 *   that is no text
 */
export function settingsOf(url, options) {
  checkUrl(url);
  checkNames(options, NAMES);
  /** @type {Record<string, unknown>} */
  const settings = { ...DEFAULTS, url };
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) settings[name] = checked(name, value);
  }
  return /** @type {any} */ (settings);
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checked(name, value) {
  const expected = typeof (/** @type {any} */ (DEFAULTS)[name]);
  if (expected === "number") return checkedNumber(name, value);
  if (name === "token") return checkedToken(value);
  if ((expected === "string" || expected === "boolean") && typeof value !== expected) {
    throw wrong(name, `a ${expected}`, value);
  }
  const [kind, isRight] = KINDS[name] ?? ["", () => true];
  if (!isRight(value)) throw wrong(name, kind, value);
  return value;
}

/**
 * No other broker must be taken for one whose URL is of a wrong kind.
 * @param {unknown} url
 */
function checkUrl(url) {
  if (url === undefined || typeof url === "string") return;
  const sentence = `Expected a URL as a string, got a value of type ${typeof url}.`; // it may hold a secret
  throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: "url" });
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkedNumber(name, value) {
  if (value === null && LIMITS.includes(name)) return Infinity;
  const least = LEAST[name] ?? 0;
  if (typeof value === "number" && value >= least) return value;
  throw wrong(name, `a number of at least ${least}`, value);
}

/** @param {unknown} value */
function checkedToken(value) {
  if (value === null || typeof value === "string" || typeof value === "function") return value;
  const sentence = `Expected a token, or a function that fetches one, got a value of type ${typeof value}.`;
  throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: "token" });
}

/**
 * Check that options are such, and have names that there are.
 * @param {object} options
 * @param {readonly string[]} names
 * @throws {SwarmwireError} INVALID_MESSAGE
 */
export function checkNames(options, names) {
  if (typeof options !== "object" || options === null) throw wrong("options", "an object", typeof options);
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const sentence = `Expected options among ${names.join(", ")}; ${name} is none of them.`;
    throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: name });
  }
}

/**
 * The error of an argument that is not what was expected. It shows the argument, so this is for none that may
 * be a secret.
 * @param {string} field
 * @param {string} expected
 * @param {unknown} got
 */
export function wrong(field, expected, got) {
  return new SwarmwireError("INVALID_MESSAGE", `Expected ${expected}, got ${String(got)}.`, { field });
}
