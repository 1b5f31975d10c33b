import { parseCursor } from "./protocol/cursor.js";
import { SwarmwireError } from "./protocol/errors.js";
import { checkPattern } from "./protocol/topics.js";

/** @typedef {import("./protocol/messages.js").StartAt} StartAt */

/**
 * Where a subscription begins: now, with the oldest event there is, with the last event of every topic,
 * behind a cursor, with the last so many events, or at a time in milliseconds since 1970.
 * @typedef {"now" | "start" | "latest" | { cursor: string } | { last: number } | { sinceMs: number }} From
 */

/**
 * What becomes of the events of a slow reader: none is left out, the oldest are dropped, or it is
 * disconnected.
 * @typedef {"all" | "drop_oldest" | "disconnect"} Mode
 */

/**
 * What a subscription asks of the broker.
 * @typedef {object} Ask
 * @property {string} pattern
 * @property {string | StartAt} start
 * @property {string | { conflate_ms: number }} mode
 * @property {number} [queueSize]
 * @property {string} [had] the cursor up to which a snapshot that is asked for again was had before
 */

/** @type {readonly unknown[]} */
const WORDS = ["now", "start", "latest"];
/** @type {readonly unknown[]} */
const MODES = ["all", "drop_oldest", "disconnect"];
/** @type {Record<string, (value: any) => StartAt | null>} */
const PLACES = {
  cursor: (cursor) => (typeof cursor === "string" && parseCursor(cursor) ? { cursor } : null),
  last: (last) => (isCount(last) ? { last } : null),
  sinceMs: (since_ms) => (isCount(since_ms) ? { since_ms } : null),
};

/**
 * The options of a subscribe, checked.
 * @param {string} pattern
 * @param {{ from?: From, mode?: Mode, conflateMs?: number, queueSize?: number }} [options]
 * @returns {Ask}
 * @throws {SwarmwireError} INVALID_TOPIC or INVALID_MESSAGE, with the field at fault
 */
export function askFor(pattern, { from = "now", mode = "all", conflateMs, queueSize } = {}) {
  checkPattern(pattern);
  if (queueSize !== undefined && !isCount(queueSize)) throw wrong("queueSize", "a whole number", queueSize);
  return { pattern, start: startOf(from), mode: modeOf(mode, conflateMs), queueSize };
}

/**
 * The same behind this cursor; in a snapshot, which is asked for as a whole.
 * @param {Ask} ask
 * @param {string} cursor
 * @param {boolean} snapshot whether the cursor lies in one
 * @returns {Ask}
 */
export function goingOn(ask, cursor, snapshot) {
  return snapshot ? { ...ask, start: "latest", had: cursor } : { ...ask, start: { cursor } };
}

/**
 * Whether a subscription, once live, shares the position of the connection.
 * @param {Ask} ask
 */
export function isShared({ mode }) {
  return mode === "all" || mode === "disconnect";
}

/** @param {unknown} from */
function startOf(from) {
  if (typeof from === "string" && WORDS.includes(from)) return from;
  const [[name, value] = ["", null], ...more] = typeof from === "object" && from !== null ? given(from) : [];
  const start = more.length === 0 && Object.hasOwn(PLACES, name) ? PLACES[name](value) : null;
  if (start === null) throw wrong("from", `one of ${WORDS.join(", ")}, {cursor}, {last} and {sinceMs}`, from);
  return start;
}

/**
 * @param {unknown} mode
 * @param {unknown} conflateMs
 */
function modeOf(mode, conflateMs) {
  if (conflateMs === undefined) {
    if (typeof mode === "string" && MODES.includes(mode)) return mode;
    throw wrong("mode", `one of ${MODES.join(", ")}`, mode);
  }
  if (mode !== "all") throw wrong("mode", "conflateMs without another mode", mode);
  if (isCount(conflateMs)) return { conflate_ms: conflateMs };
  throw wrong("conflateMs", "a whole number of milliseconds", conflateMs);
}

/** @param {object} from */
function given(from) {
  return Object.entries(from).filter(([, value]) => value !== undefined);
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isCount(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/**
 * @param {string} field
 * @param {string} expected
 * @param {unknown} got
 */
function wrong(field, expected, got) {
  const sentence = `Expected ${expected}, got ${shown(got)}.`;
  return new SwarmwireError("INVALID_MESSAGE", sentence, { field });
}

/** @param {unknown} value */
function shown(value) {
  try {
    return JSON.stringify(value);
  } catch {
    return String(value); // JSON cannot hold it
  }
}
