import { MAX_RECEIVED_BYTES } from "./carrier.js";
import { Lost, errorMessage, parsed, problemOf } from "./httpproblem.js";
import { NDJSON, OK } from "./httprequests.js";


/**
 * Ask a method, and deliver each reply as it comes.
 * @param {import("./httprequests.js").HttpRequests} requests
 * @param {{ id: string | number, method: string, params?: unknown, timeout_ms?: number }} call
 * @param {AbortSignal} signal
 * @param {(message: object) => void} deliver
 * @throws {Lost} when the last reply does not come
 */
export async function callOverHttp(requests, { id, method, params, timeout_ms }, signal, deliver) {
  const query = timeout_ms === undefined ? "" : `?timeout_ms=${timeout_ms}`;
  const asking = /** @type {const} */ ({
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: NDJSON },
    body: params === undefined ? "" : JSON.stringify(params),
    signal,
  });
  const path = `v1/call/${encodeURIComponent(method)}${query}`;
  const complete = await requests.answering(path, asking, async (answer) => {
    if (answer.status !== OK) {
      deliver(errorMessage(problemOf(await answer.whole()), id));
      return true;
    }
    let last = false;
    for await (const line of linesOf(answer.pieces)) {
      const message = replyOf(line, id);
      last = message.type === "error" || message.more !== true;
      deliver(message);
    }
    return last;
  });
  if (!complete) throw new Lost("The replies ended without the last one.");
}

/** @param {AsyncIterable<string>} pieces */
async function* linesOf(pieces) {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = /** @type {string} */ (lines.pop());
    yield* lines.filter((line) => line !== "");
    if (rest.length > MAX_RECEIVED_BYTES) {
      throw new Lost(`A reply has at most ${MAX_RECEIVED_BYTES} characters.`);
    }
  }
  if (rest !== "") yield rest;
}

/**
 * @param {string} line
 * @param {string | number} id
 * @returns {{ type: string, more?: boolean, [field: string]: unknown }}
 */
function replyOf(line, id) {
  const { data = null, more, end, error } = parsed(line, "A reply is no JSON.");
  if (error !== undefined) return errorMessage(error, id);
  return { type: "reply", id, data, more, end };
}
