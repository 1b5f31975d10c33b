import { CLOSES, Disconnected, SwarmwireError } from "./protocol/errors.js";
import { ABNORMAL } from "./transports/carrier.js";

/** @type {readonly string[]} */
const FINAL = ["AUTHENTICATION_FAILED", "TOKEN_EXPIRED", "UNSUPPORTED_VERSION", "INVALID_MESSAGE"];
/** @type {readonly string[]} */
const LOGINS = ["AUTHENTICATION_FAILED", "TOKEN_EXPIRED"];

/** @type {Readonly<Record<number, import("./protocol/errors.js").ErrorCode>>} */
const NAMES = {
  1001: "SHUTTING_DOWN",
  1009: "MESSAGE_TOO_LARGE",
  1012: "SHUTTING_DOWN",
  4401: "AUTHENTICATION_FAILED",
  4403: "PERMISSION_DENIED",
  4406: "UNSUPPORTED_VERSION",
  4408: "SLOW_CONSUMER",
  4409: "HEARTBEAT_TIMEOUT",
};

/** Codes from here on are the protocol's own, and only ever the broker's; a lower one may be a proxy's. */
const OWN_CODES = 4000;

/** Why a connection, or an attempt to have one, came to its end, and whether another may follow. */
export class Loss {
  /**
   * @param {SwarmwireError} error what whoever waits is told, if no other connection follows
   * @param {object} [parts]
   * @param {number} [parts.code] the close code
   * @param {string} [parts.reason] the words that came with it
   * @param {boolean} [parts.final] whether trying again is useless
   * @param {number} [parts.afterMs] how long to wait before the next attempt, where the broker said so
   */
  constructor(error, { code = ABNORMAL, reason = "", final = FINAL.includes(error.code), afterMs } = {}) {
    this.error = error;
    this.code = code;
    this.reason = reason;
    this.final = final;
    this.afterMs = afterMs;
  }

  /** Whether another token could help. */
  get ofLogin() {
    return LOGINS.includes(this.error.code);
  }
}

/**
 * The loss that a close code stands for.
 * @param {number} code
 * @param {string} reason
 * @param {object} [parts]
 * @param {boolean} [parts.meant] whether a `bye` named it
 * @param {SwarmwireError | null} [parts.error] what the broker gave before
 * @param {number} [parts.afterMs]
 */
export function lossOf(code, reason, { meant = false, error = null, afterMs } = {}) {
  const info = Object.hasOwn(CLOSES, code) ? CLOSES[code] : undefined;
  const named = error ?? errorOf(code, reason || (info?.sentence ?? "The connection was cut."));
  const closed = info !== undefined && !info.reconnect && (meant || code >= OWN_CODES);
  return new Loss(named, {
    code,
    reason,
    final: closed || FINAL.includes(named.code),
    afterMs: afterMs ?? named.retryAfterMs,
  });
}

/**
 * The loss that a failed attempt is.
 * @param {unknown} fault
 */
export function failureOf(fault) {
  if (fault instanceof Loss) return fault;
  if (fault instanceof SwarmwireError) return new Loss(fault, { afterMs: fault.retryAfterMs });
  const what = fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault);
  return new Loss(new Disconnected(`No connection could be made: ${what}`, { cause: fault }));
}

/**
 * @param {number} code
 * @param {string} sentence
 */
function errorOf(code, sentence) {
  const text = `Closed with ${code}: ${sentence}`;
  return Object.hasOwn(NAMES, code) ? new SwarmwireError(NAMES[code], text) : new Disconnected(text);
}
