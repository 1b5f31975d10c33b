import { Bye, ENDS, Lost, byeFor, errorMessage, parsed } from "./httpproblem.js";

/** @typedef {import("./httpproblem.js").Problem} Problem */
/** @typedef {import("./httpproblem.js").RequestId} RequestId */

/**
 * A message on its way.
 * @typedef {object} Sent
 * @property {string} type
 * @property {RequestId} [id]
 * @property {any} message
 * @property {string} text
 */

/** @typedef {{ seq?: number, duplicate?: boolean, error?: Problem }} Result */

const BATCH_CHARACTERS = 1024 * 1024;
const BATCH = 1000;

/** Errors of an item that was not decided: after a reconnect it is sent again under its key. */
const UNDECIDED = ["AUTHENTICATION_FAILED", "TOKEN_EXPIRED", "SHUTTING_DOWN", "OUTCOME_UNKNOWN"];

/**
 * Take the publishes in front of the queue, as many as one request may hold, at least one.
 * @param {Sent[]} queue
 * @param {Record<string, number | null>} limits
 * @param {number} [most]
 */
export function takeBatch(queue, limits, most = BATCH) {
  const longest = Math.min(most, limits.max_batch ?? BATCH);
  let room = Math.min(BATCH_CHARACTERS, limits.max_message_bytes ?? BATCH_CHARACTERS);
  let length = 0;
  while (length < queue.length && length < Math.max(1, longest) && queue[length].type === "publish") {
    room -= queue[length].text.length + 1;
    if (length > 0 && room < 0) break;
    length += 1;
  }
  return queue.splice(0, length);
}

/**
 * The answers to a batch as messages; where some of it was not decided also the end of the connection.
 * @param {Sent[]} batch
 * @param {string} text
 * @returns {{ answers: object[], end: Bye | Lost | null }}
 * @throws {Lost} for what is no answer to it
 */
export function decided(batch, text) {
  /** @type {Result[] | undefined} */
  const results = parsed(text, "The answer to a batch is no JSON.")?.results;
  if (!Array.isArray(results) || results.length !== batch.length) {
    throw new Lost(`Expected ${batch.length} results, got ${results?.length ?? "none"}.`);
  }
  /** @type {object[]} */
  const answers = [];
  /** @type {Problem[]} */
  const undecided = [];
  results.forEach(({ seq, duplicate, error }, index) => {
    const { id } = batch[index];
    if (error !== undefined && UNDECIDED.includes(error.code)) undecided.push(error);
    else if (error !== undefined) answers.push(errorMessage(error, id));
    else if (id !== undefined) answers.push({ type: "ack", id, seq, duplicate });
  });
  return { answers, end: endOf(undecided) };
}

/** @param {Problem[]} undecided */
function endOf(undecided) {
  const ending = undecided.find(({ code }) => code in ENDS);
  if (ending !== undefined) return byeFor(ending);
  return undecided.length > 0 ? new Lost(undecided[0].message) : null;
}
