/** The changes of a subscription, as an async iterator. */

import { disposeBy } from "../disposal.js";
import { readChange, report } from "./change.js";
import { parseTopic } from "./topics.js";

/**
 * @template R
 * @typedef {import("./change.js").Change<R>} Change
 */

/**
 * @typedef {import("./change.js").OnError} OnError
 * @typedef {import("./pubsub.js").Event} Event
 * @typedef {import("./pubsub.js").EventStream} EventStream
 */

/**
 * Changes in order. An event that cannot be read goes to `onError` (by default a warning on the console), and
 * iteration goes on. It ends and throws as the subscription below it does; leaving the loop closes it.
 *
 * @template R
 */
export class Changes {
  #stream;
  #events;
  #onError;
  /** @type {AsyncIterator<unknown> | null} */
  #iterator = null;

  /**
   * @param {EventStream} stream
   * @param {ReadonlySet<string> | null} events those that are wanted; null for all
   * @param {OnError} [onError]
   */
  constructor(stream, events, onError) {
    this.#stream = stream;
    this.#events = events;
    this.#onError = onError;
  }

  /** Fulfilled once the broker has acknowledged the subscription; rejected where it refuses. */
  get ready() {
    return this.#stream.ready;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<Change<R>, undefined>>} */
  async next() {
    this.#iterator ??= this.#stream[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done) {
        return { done: true, value: undefined };
      }
      const change = this.#read(value);
      if (change !== null) {
        return { done: false, value: change };
      }
    }
  }

  /** @returns {Promise<IteratorResult<Change<R>, undefined>>} */
  async return() {
    await this.close();
    return { done: true, value: undefined };
  }

  /** End the subscription; harmless twice. */
  async close() {
    await this.#stream.close();
  }

  /** @param {unknown} item */
  #read(item) {
    // Gaps and other marks may stand among the events, where the options ask for them.
    if (!isEvent(item) || !this.#isWanted(item)) {
      return null;
    }
    try {
      return /** @type {Change<R> | null} */ (readChange(item));
    } catch (error) {
      report(this.#onError, error, item);
      return null;
    }
  }

  /** @param {Event} event */
  #isWanted(event) {
    return this.#events === null || this.#events.has(parseTopic(event.topic)?.event ?? "");
  }
}

disposeBy(Changes.prototype, Changes.prototype.close);

/**
 * @param {unknown} item
 * @returns {item is Event}
 */
export function isEvent(item) {
  return typeof item === "object" && item !== null && "topic" in item && "data" in item;
}
