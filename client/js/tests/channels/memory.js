/** A broker of a few lines: one ordered log, the last event of every topic, streams with wildcards. */

import { SwarmwireError } from "../../src/protocol/errors.js";
import { checkPattern, checkTopic, matches } from "../../src/protocol/topics.js";

export class MemoryStream {
  #waiting = [];
  #wake = null;
  isClosed = false;

  constructor(pattern, past, refusal) {
    this.pattern = pattern;
    this.#waiting.push(...past);
    this.ready = refusal === null ? Promise.resolve() : Promise.reject(refusal);
    this.ready.catch(() => {});
    if (refusal !== null) {
      this.put(refusal);
    }
  }

  /** Hand over an event or a mark, the error that ends the stream, or null for its quiet end. */
  put(item) {
    this.#waiting.push(item);
    this.#wake?.();
  }

  close() {
    if (!this.isClosed) {
      this.isClosed = true;
      this.#waiting.length = 0;
      this.put(null);
    }
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#waiting.length === 0) {
        await new Promise((wake) => {
          this.#wake = wake;
        });
      }
      const item = this.#waiting.shift();
      if (item === null) {
        return;
      }
      if (item instanceof Error) {
        throw item;
      }
      yield item;
    }
  }
}

/** What a connected client is to the channels. */
export class MemoryPubSub {
  log = [];
  streams = [];
  published = [];
  calls = [];
  /** What the next subscriptions are refused with. */
  refusal = null;
  /** What calls are answered, by their method. */
  answers = {};

  async publish(topic, data, options) {
    checkTopic(topic);
    const seq = this.log.length + 1;
    this.published.push({ topic, data, options });
    this.tell({ topic, data: JSON.parse(JSON.stringify(data)), seq, cursor: `e:${seq}` });
    return { seq, duplicate: false };
  }

  /** An event as others publish it, whatever its data. */
  tell({ topic, data, seq = this.log.length + 1, cursor = null }) {
    const event = { topic, data, seq, ts: 1_700_000_000_000, sender: "somebody", cursor };
    this.log.push(event);
    for (const stream of this.streams) {
      if (!stream.isClosed && matches(stream.pattern, topic)) {
        stream.put(event);
      }
    }
  }

  subscribe(pattern, options = {}) {
    checkPattern(pattern);
    const stream = new MemoryStream(pattern, this.#past(pattern, options.from), this.refusal);
    stream.options = options;
    this.streams.push(stream);
    return stream;
  }

  #past(pattern, from = "now") {
    if (from === "now") {
      return [];
    }
    const past = this.log.filter(({ topic }) => matches(pattern, topic));
    if (from === "latest") {
      return past.filter((event, place) => !past.slice(place + 1).some(({ topic }) => topic === event.topic));
    }
    return from === "start" ? past : past.filter(({ seq }) => seq > Number(from.cursor.split(":")[1]));
  }

  async call(method, params, options) {
    this.calls.push({ method, params, options });
    const answer = this.answers[method];
    if (answer === undefined) {
      throw new SwarmwireError("METHOD_NOT_FOUND");
    }
    return answer;
  }
}
