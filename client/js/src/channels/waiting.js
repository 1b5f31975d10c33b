/** Waiting for one event, among those that were and those to come. */

import { onAbort } from "../abort.js";
import { SwarmwireError } from "../protocol/errors.js";
import { clock } from "../clock.js";
import { readChange } from "./change.js";
import { isEvent } from "./changes.js";
import { parseTopic } from "./topics.js";

/**
 * @typedef {import("./change.js").Change<import("./record.js").Fields>} Change
 * @typedef {import("./pubsub.js").EventStream} EventStream
 * @typedef {import("./pubsub.js").PubSub} PubSub
 * @typedef {import("./pubsub.js").Start} Start
 *
 * @typedef {object} WaitOptions
 * @property {number | null} [timeoutMs] includes the way to the broker; by default without a limit. 0 fails
 *   unless the answer is at hand without waiting, which over a network it never is
 * @property {Start} [from] where to look from; by default the last events
 * @property {AbortSignal} [signal] gives it up
 *
 * @typedef {object} Wanted
 * @property {string} pattern
 * @property {ReadonlySet<string>} events
 * @property {(change: Change) => boolean} isAnswer
 * @property {string} what it is, for the errors
 */

/**
 * The first change that is the answer.
 *
 * Throws TIMEOUT naming what was waited for, the reason of an aborted signal, UNAVAILABLE where the
 * subscription ends before, INVALID_MESSAGE for an answer that cannot be read, and whatever the subscription
 * throws.
 *
 * @param {PubSub} pubsub
 * @param {Wanted} wanted
 * @param {WaitOptions} options
 */
export async function waitFor(pubsub, wanted, { timeoutMs, from = "latest", signal }) {
  signal?.throwIfAborted();
  const ms = timeoutMs ?? Infinity;
  const stream = pubsub.subscribe(wanted.pattern, { from });
  const limit = new Limit(`${wanted.what} was not there within ${ms} ms.`, ms, signal);
  const answer = first(stream, wanted);
  // When the limit is reached first nobody waits for this any more, and it fails as the stream is closed.
  answer.catch(() => {});
  try {
    return await Promise.race([answer, limit.reached]);
  } finally {
    limit.close();
    await stream.close();
  }
}

/**
 * Other events of the same id are not read: one of them that is malformed says nothing about the answer.
 *
 * @param {EventStream} stream
 * @param {Wanted} wanted
 */
async function first(stream, { events, isAnswer, what }) {
  for await (const item of stream) {
    if (isEvent(item) && events.has(parseTopic(item.topic)?.event ?? "")) {
      const change = readChange(item);
      if (change !== null && isAnswer(change)) {
        return change;
      }
    }
  }
  throw new SwarmwireError("UNAVAILABLE", `The subscription ended before ${what} was there.`);
}

/** The end of a caller's patience: a time, a signal, or whichever comes first. */
class Limit {
  #stop;
  #forget;
  /** @type {(reason: unknown) => void} */
  #reach = () => {};

  /**
   * @param {string} sentence
   * @param {number} ms Infinity for no limit
   * @param {AbortSignal} [signal]
   */
  constructor(sentence, ms, signal) {
    /** Never fulfilled; rejected when the limit is reached. */
    this.reached = /** @type {Promise<never>} */ (
      new Promise((_, reject) => {
        this.#reach = reject;
      })
    );
    this.#stop = clock.after(ms, () => this.#reach(new SwarmwireError("TIMEOUT", sentence)));
    this.#forget = onAbort(signal, () => this.#reach(signal?.reason));
  }

  close() {
    this.#stop();
    this.#forget();
  }
}
