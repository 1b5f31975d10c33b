/**
 * The one table of errors and the one table of close codes, and the error that is thrown for them.
 *
 * `retry`: the same request may succeed later. `outcome`: whether the request is known not to be done.
 * `close`: the code with which the connection ends where the error concerns the connection.
 *
 * @typedef {"not_done" | "unknown"} Outcome
 * @typedef {{sentence: string, retry: boolean, outcome: Outcome, close: number | null}} ErrorInfo
 * @typedef {{sentence: string, reconnect: boolean}} CloseInfo
 * @typedef {import("./messages.js").ErrorMessage} ErrorMessage
 * @typedef {import("./messages.js").SubscribeResult} SubscribeResult
 */

/**
 * @param {string} sentence
 * @param {boolean} retry
 * @param {Outcome} [outcome]
 * @param {number | null} [close]
 * @returns {ErrorInfo}
 */
function row(sentence, retry, outcome = "not_done", close = null) {
  return { sentence, retry, outcome, close };
}

/** What each code of an `error` means. A broker may know more codes. */
export const ERRORS = Object.freeze({
  INVALID_MESSAGE: row("The message is not one the protocol knows.", false),
  INVALID_TOPIC: row("The topic or pattern breaks the grammar.", false),
  UNSUPPORTED_VERSION: row("No version of the protocol is known to both sides.", false, "not_done", 4406),
  NOT_AUTHENTICATED: row("The first message must be a hello.", false),
  AUTHENTICATION_FAILED: row("The login was refused.", false, "not_done", 4401),
  TOKEN_EXPIRED: row("The token has expired.", false, "not_done", 4401),
  PERMISSION_DENIED: row("The identity may not do this.", false),
  RATE_LIMIT_EXCEEDED: row("Too much, too fast.", true),
  MESSAGE_TOO_LARGE: row("The message is larger than the limit.", false, "not_done", 1009),
  LIMIT_EXCEEDED: row("A limit of the broker is reached.", true),
  NOT_FOUND: row("There is no such thing.", false),
  METHOD_NOT_FOUND: row("Nobody handles this method.", false),
  HANDLER_FAILED: row("The handler reported a failure.", false),
  HANDLER_GONE: row("The handler vanished before it answered.", false, "unknown"),
  TIMEOUT: row("No answer came in time.", false, "unknown"),
  CANCELLED: row("The request was given up.", false, "unknown"),
  CONFLICT: row("Something with this name is already there.", false),
  FENCED: row("A newer holder has taken over.", false),
  LOCK_LOST: row("The lock's lease has lapsed.", false, "unknown"),
  LOCK_TIMEOUT: row("The lock did not become free in time.", true),
  REPLAYED: row("The sealed payload was seen before.", false),
  SLOW_CONSUMER: row("The client reads more slowly than its subscription allows.", true, "not_done", 4408),
  HEARTBEAT_TIMEOUT: row("Nothing was heard of the client for two heartbeats.", true, "unknown", 4409),
  SHUTTING_DOWN: row("The broker is shutting down.", true, "not_done", 1012),
  UNAVAILABLE: row("The broker cannot do this just now.", true),
  OUTCOME_UNKNOWN: row("It cannot be known whether the request was done.", false, "unknown"),
  INTERNAL_ERROR: row("Something failed inside the broker.", true, "unknown"),
});

/** @typedef {keyof typeof ERRORS} ErrorCode */

/**
 * What each code of a `bye` and of a close means, and whether a client comes back after it.
 *
 * @type {Readonly<Record<number, CloseInfo>>}
 */
export const CLOSES = Object.freeze({
  1000: { sentence: "The peer is done.", reconnect: false },
  1001: { sentence: "The peer goes away.", reconnect: true },
  1002: { sentence: "The framing was broken.", reconnect: true },
  1007: { sentence: "A text was not valid UTF-8.", reconnect: true },
  1008: { sentence: "Too many malformed messages.", reconnect: true },
  1009: { sentence: "A message was over the limit.", reconnect: true },
  1011: { sentence: "The broker failed.", reconnect: true },
  1012: { sentence: "The broker is shutting down or restarting.", reconnect: true },
  1013: { sentence: "The broker is full.", reconnect: true },
  4401: { sentence: "The login was refused, has expired or was revoked.", reconnect: false },
  4402: { sentence: "No hello came in time.", reconnect: true },
  4403: { sentence: "An operator closed the connection.", reconnect: false },
  4406: { sentence: "No common version of the protocol.", reconnect: false },
  4408: { sentence: "The client read too slowly for a subscription in mode disconnect.", reconnect: true },
  4409: { sentence: "The client was silent for two heartbeats.", reconnect: true },
});

/** @type {Readonly<Record<string, ErrorInfo>>} */
const KNOWN = ERRORS;

/** A code that came later is not retried, and says nothing of what was done. */
const STRANGE = row("Something failed that this version has no name for.", false, "unknown");

/**
 * What belongs to an error beside its code and its sentence.
 *
 * @typedef {object} ErrorParts
 * @property {string} [field] the path of the field at fault: `subscriptions[0].pattern`
 * @property {number} [retryAfterMs] trying again sooner is in vain
 * @property {string} [handlerCode] with HANDLER_FAILED: the code that the handler gave
 * @property {unknown} [details] what the broker or the handler told beside that
 * @property {SubscribeResult[]} [results] of a subscribe of which nothing was accepted
 * @property {string[]} [versions] with UNSUPPORTED_VERSION: those the broker speaks
 * @property {unknown} [cause] the error behind this one
 */

/** A named error of the protocol, as the broker sends it and as this SDK throws it. */
export class SwarmwireError extends Error {
  /**
   * @param {ErrorCode | (string & {})} code a name of the table `ERRORS`, or one that came later
   * @param {string} [message] a sentence that says what was expected and what came
   * @param {ErrorParts} [parts]
   */
  constructor(code, message, parts = {}) {
    super(message ?? infoOf(code).sentence, "cause" in parts ? { cause: parts.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.field = parts.field;
    this.retryAfterMs = parts.retryAfterMs;
    this.handlerCode = parts.handlerCode;
    this.details = parts.details;
    this.results = parts.results;
    this.versions = parts.versions;
  }

  /** Whether the same request may succeed later. */
  get retry() {
    return infoOf(this.code).retry;
  }

  /** `not_done` where the request is known not to be done. */
  get outcome() {
    return infoOf(this.code).outcome;
  }

  /** @override */
  toString() {
    const own = this.handlerCode === undefined ? "" : ` ${this.handlerCode}`;
    const where = this.field === undefined ? "" : ` (field ${this.field})`;
    return `${this.name}: ${this.code}${own}: ${this.message}${where}`;
  }
}

/** The offline queue holds as many publishes as it may; this one was not taken. */
export class QueueFull extends SwarmwireError {
  /**
   * @param {string} [message]
   * @param {ErrorParts} [parts]
   */
  constructor(message, parts) {
    super("LIMIT_EXCEEDED", message, parts);
  }
}

/** There is no connection, and for this request there will be none: it was not done. */
export class Disconnected extends SwarmwireError {
  /**
   * @param {string} [message]
   * @param {ErrorParts} [parts]
   */
  constructor(message, parts) {
    super("UNAVAILABLE", message, parts);
  }
}

/**
 * The error that an `error` message carries.
 *
 * @param {Omit<ErrorMessage, "type">} message
 */
export function errorFrom(message) {
  return new SwarmwireError(message.code, message.message, {
    field: message.field,
    retryAfterMs: message.retry_after_ms,
    handlerCode: message.handler_code,
    details: message.details,
    results: message.results,
    versions: message.versions,
  });
}

/** @param {string} code */
function infoOf(code) {
  return Object.hasOwn(KNOWN, code) ? KNOWN[code] : STRANGE;
}
