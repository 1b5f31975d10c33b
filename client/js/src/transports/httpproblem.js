/** @typedef {string | number} RequestId */

/**
 * What an error says, over HTTP as in a message.
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} message
 * @property {string} [field]
 * @property {number} [retry_after_ms]
 * @property {string} [handler_code]
 * @property {unknown} [details]
 * @property {string[]} [versions]
 */

/** A request had no answer, or none of a broker's: the connection is lost. */
export class Lost extends Error {
  /**
   * @param {string} sentence
   * @param {unknown} [cause]
   */
  constructor(sentence, cause) {
    super(sentence, { cause });
    this.name = "Lost";
  }
}

/** The broker ended the connection, and said so. */
export class Bye extends Error {
  /**
   * @param {number} code
   * @param {string} reason
   * @param {number} [afterMs]
   * @param {Problem} [problem]
   */
  constructor(code, reason, afterMs, problem) {
    super(reason);
    this.name = "Bye";
    this.code = code;
    this.reason = reason;
    this.afterMs = afterMs;
    this.problem = problem;
  }

  /** The same as the messages that would have ended another connection. */
  messages() {
    const bye = { type: "bye", code: this.code, reason: this.reason, reconnect_after_ms: this.afterMs };
    return this.problem === undefined ? [bye] : [errorMessage(this.problem), bye];
  }
}

const TRY_LATER = 1013;

/**
 * Errors of a request as a whole that would have ended a connection, with the code it would have ended with.
 * @type {Record<string, number>}
 */
export const ENDS = {
  AUTHENTICATION_FAILED: 4401,
  TOKEN_EXPIRED: 4401,
  UNSUPPORTED_VERSION: 4406,
  SHUTTING_DOWN: 1012,
  LIMIT_EXCEEDED: TRY_LATER,
};

/**
 * The end of a connection that an error of a whole request stands for.
 * @param {Problem} problem
 */
export function byeFor(problem) {
  return new Bye(ENDS[problem.code] ?? TRY_LATER, problem.message, problem.retry_after_ms, problem);
}

/**
 * An error as a message to whoever asked.
 * @param {Problem} problem
 * @param {RequestId} [id]
 */
export function errorMessage({ code, message, field, retry_after_ms, handler_code, details, versions }, id) {
  return { type: "error", id, code, message, field, retry_after_ms, handler_code, details, versions };
}

/**
 * What is wrong, of an answer that is an error.
 * @param {{ status: number, text: string }} answer
 * @returns {Problem}
 * @throws {Lost} where the error is none of a broker's: one of a proxy, or of another server
 */
export function problemOf({ status, text }) {
  const problem = parsed(text, `No broker answers there, but HTTP status ${status}.`)?.error;
  if (typeof problem?.code === "string" && typeof problem.message === "string") return problem;
  throw new Lost(`No broker answers there, but HTTP status ${status}.`);
}

/**
 * @param {string} text
 * @param {string} sentence what to say if it is no JSON
 * @throws {Lost}
 */
export function parsed(text, sentence) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Lost(sentence, cause);
  }
}
