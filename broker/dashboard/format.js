// How numbers, moments and long names are written. What is not known is written as a dash.

const UNKNOWN = "–";
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const day = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });

/** @typedef {number | null | undefined} Figure */

/**
 * @param {Figure} value
 * @returns {value is number}
 */
function isKnown(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/**
 * Three figures at most, with as many decimals as they leave room for.
 *
 * @param {number} value
 */
function three(value) {
  const size = Math.abs(value);
  return size >= 99.95 || size === 0 ? value.toFixed(0) : size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/**
 * A whole number with its thousands apart: `12,345`.
 *
 * @param {Figure} value
 */
export function count(value) {
  return isKnown(value) ? whole.format(value) : UNKNOWN;
}

/**
 * A number in short: `845`, `12.3k`, `4.05M`.
 *
 * @param {Figure} value
 */
export function compact(value) {
  if (!isKnown(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size < 9.995 && !Number.isInteger(value)) return value.toFixed(1);
  if (size < 999.5) return value.toFixed(0);
  if (size < 999_500) return `${three(value / 1e3)}k`;
  return size < 999_500_000 ? `${three(value / 1e6)}M` : `${three(value / 1e9)}G`;
}

/**
 * So many a second: `12.3k/s`.
 *
 * @param {Figure} value
 */
export function rate(value) {
  return isKnown(value) ? `${compact(value)}/s` : UNKNOWN;
}

/**
 * A size in binary units: `812 B`, `4.05 KiB`.
 *
 * @param {Figure} value bytes
 */
export function bytes(value) {
  if (!isKnown(value)) return UNKNOWN;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  for (; size >= 999.5 && unit < units.length - 1; unit += 1) size /= 1024;
  return unit === 0 ? `${size.toFixed(0)} B` : `${three(size)} ${units[unit]}`;
}

/**
 * A part of one as a percentage: `42 %`.
 *
 * @param {Figure} value 0 to 1
 */
export function percent(value) {
  return isKnown(value) ? `${Math.round(value * 100)} %` : UNKNOWN;
}

/**
 * A short time with its decimals, for latencies: `0.84 ms`, `12.3 ms`, `1.20 s`.
 *
 * @param {Figure} ms
 */
export function latency(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  return ms < 999.5 ? `${three(ms)} ms` : `${three(ms / SECOND)} s`;
}

/**
 * How long something takes, in its two largest units: `3.2 s`, `4 m 10 s`, `2 h 3 m`, `5 d 1 h`.
 *
 * @param {Figure} ms
 */
export function duration(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < MINUTE) return `${Math.min(59.9, ms / SECOND).toFixed(1)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m ${Math.floor((ms % MINUTE) / SECOND)} s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} m`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

/**
 * How long ago a moment was, in one unit: `now`, `12 s ago`, `3 h ago`.
 *
 * @param {Figure} ms the moment, in milliseconds since 1970
 * @param {number} [nowMs]
 */
export function ago(ms, nowMs = Date.now()) {
  if (!isKnown(ms)) return UNKNOWN;
  const past = nowMs - ms;
  if (past < SECOND) return "now";
  if (past < MINUTE) return `${Math.floor(past / SECOND)} s ago`;
  if (past < HOUR) return `${Math.floor(past / MINUTE)} m ago`;
  return past < DAY ? `${Math.floor(past / HOUR)} h ago` : `${Math.floor(past / DAY)} d ago`;
}

/**
 * The local time of day: `12:03:07`, and with `millis` `12:03:07.123`.
 *
 * @param {Figure} ms the moment, in milliseconds since 1970
 * @param {{millis?: boolean}} [options]
 */
export function time(ms, { millis = false } = {}) {
  if (!isKnown(ms)) return UNKNOWN;
  const moment = new Date(ms);
  const parts = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => pad(part, 2));
  return parts.join(":") + (millis ? `.${pad(moment.getMilliseconds(), 3)}` : "");
}

/**
 * The local day and time: `2026-03-01 12:03:07`.
 *
 * @param {Figure} ms the moment, in milliseconds since 1970
 */
export function dateTime(ms) {
  return isKnown(ms) ? `${day.format(ms)} ${time(ms)}` : UNKNOWN;
}

/**
 * A long name with its middle left out, so that both ends can be told: `agent-9f3…c0ffee`.
 *
 * @param {string} text
 * @param {number} [length] the longest that is shown whole, at least 3
 */
export function shorten(text, length = 32) {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}

/**
 * `1 agent`, `2 agents`.
 *
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * @param {number} number
 * @param {number} width
 */
function pad(number, width) {
  return String(number).padStart(width, "0");
}
