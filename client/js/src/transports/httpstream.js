import { SwarmwireError } from "../protocol/errors.js";
import { MAX_RECEIVED_BYTES } from "./carrier.js";
import { Bye, Lost, errorMessage, parsed, problemOf } from "./httpproblem.js";
import { EVENTS, OK } from "./httprequests.js";
import { FrameReader } from "./sse.js";

/** @typedef {import("./httprequests.js").HttpRequests} HttpRequests */
/** @typedef {import("./sse.js").Frame} Frame */

/**
 * A subscription as a client asks for it.
 * @typedef {object} Item
 * @property {string} pattern
 * @property {string} [sub]
 * @property {string | { cursor?: string, last?: number, since_ms?: number }} [from]
 * @property {string | { conflate_ms: number }} [mode]
 * @property {number} [queue_size]
 */

/** @typedef {{ sub: string, cursor?: string, error?: object }} SubscribeResult */


/**
 * One subscription: a stream of server-sent events of its own, and what it says as messages. All of them are
 * addressed to the subscription, so that none of several streams can move the place of another.
 */
export class HttpStream {
  #requests;
  #item;
  #cursor;
  #silenceMs;
  #deliver;
  /** @type {string | null} */
  #place = null;
  #ended = false;
  #hasBegun = false;
  /** @type {(result: SubscribeResult) => void} */
  #begin = () => {};
  /** @type {() => void} */
  #letGo = () => {};
  #mayGo = new Promise((/** @type {(value: void) => void} */ resolve) => (this.#letGo = resolve));

  /**
   * What became of the subscribe.
   * @type {Promise<SubscribeResult>}
   */
  began = new Promise((resolve) => (this.#begin = resolve));

  /**
   * @param {HttpRequests} requests
   * @param {Item} item
   * @param {object} with_
   * @param {string} with_.cursor where a subscription begins that is not told
   * @param {number | null} with_.silenceMs
   * @param {(text: string) => void} with_.deliver
   */
  constructor(requests, item, { cursor, silenceMs, deliver }) {
    this.name = item.sub ?? item.pattern;
    this.#requests = requests;
    this.#item = item;
    this.#cursor = cursor;
    this.#silenceMs = silenceMs;
    this.#deliver = deliver;
  }

  /** The answer to the subscribe was delivered: what has come may follow. */
  goOn() {
    this.#letGo();
  }

  /**
   * Nobody wants it any more; whoever waits for the answer has one.
   * @param {string} code
   * @param {string} message
   */
  giveUp(code, message) {
    this.#decided({ sub: this.name, error: errorMessage({ code, message }) });
  }

  /**
   * Read until the stream is at its end. Given up by the signal it can be run again, and goes on where it
   * was.
   * @param {AbortSignal} signal
   * @throws {Lost} when it ends without a word
   * @throws {Bye} when the broker ends it
   */
  async run(signal) {
    /** @type {Record<string, string>} */
    const headers = this.#place === null ? {} : { "Last-Event-ID": this.#place };
    const asking = { headers, signal, silenceMs: this.#silenceMs };
    await this.#requests.answering(`${EVENTS}?${query(this.#item)}`, asking, async (answer) => {
      if (answer.status !== OK) return this.#refused(problemOf(await answer.whole()));
      const reader = new FrameReader(MAX_RECEIVED_BYTES);
      for await (const piece of answer.pieces) {
        for (const frame of framesOf(reader, piece)) {
          await this.#take(frame);
          signal.throwIfAborted();
          if (this.#ended) return;
        }
      }
      throw new Lost("The events ended without a word.");
    });
  }

  /** @param {SubscribeResult} result */
  #decided(result) {
    this.#hasBegun = true;
    this.#begin(result);
  }

  /** @param {import("./httpproblem.js").Problem} problem */
  #refused(problem) {
    // It was good before, and its login or its permission is gone.
    if (this.#hasBegun) throw new Lost(problem.message);
    this.#decided({ sub: this.name, error: errorMessage(problem) });
  }

  /** @param {Frame} frame */
  async #take(frame) {
    if (!this.#hasBegun) {
      this.#decided({ sub: this.name, cursor: frame.id ?? this.#cursor });
      await this.#mayGo;
    }
    this.#place = frame.id ?? this.#place;
    const text = this.#message(frame);
    if (text !== null) this.#deliver(text);
  }

  /**
   * @param {Frame} frame
   * @throws {Bye}
   */
  #message({ event, data, id }) {
    const sub = this.name;
    if (event === "bye") {
      const { code, reason = "", reconnect_after_ms, error } = parsed(data, "A bye is no JSON.");
      throw new Bye(code, reason, reconnect_after_ms, error);
    }
    if (event === "live") {
      return JSON.stringify({ type: "live", sub, cursor: parsed(data, "A live is no JSON.").cursor });
    }
    if (event === "gap") {
      const gap = parsed(data, "A gap is no JSON.");
      this.#ended = gap.reason === "denied";
      return JSON.stringify({ ...gap, sub });
    }
    if (event === "" && data !== "") return addressed(data, sub);
    if (event === "" && id !== null) return JSON.stringify({ type: "position", sub, cursor: id });
    return null;
  }
}

/**
 * @param {FrameReader} reader
 * @param {string} piece
 * @throws {Lost}
 */
function framesOf(reader, piece) {
  try {
    return reader.read(piece);
  } catch (error) {
    throw error instanceof SwarmwireError ? new Lost(error.message, error) : error;
  }
}

/**
 * The text of an event with the name of its subscription: of a field that stands twice the last one counts.
 * @param {string} text
 * @param {string} sub
 */
function addressed(text, sub) {
  const end = text.lastIndexOf("}");
  return end < 0 ? text : `${text.slice(0, end)},"sub":${JSON.stringify(sub)}}`;
}

/** @param {Item} item */
function query({ pattern, from, mode, queue_size }) {
  const query = new URLSearchParams({ pattern });
  const { cursor, last, since_ms } = typeof from === "object" ? from : { cursor: from };
  const pace = typeof mode === "object" ? { conflate_ms: mode.conflate_ms } : { mode };
  for (const [name, value] of Object.entries({ from: cursor, last, since_ms, ...pace, queue_size })) {
    if (value !== undefined && value !== null) query.set(name, String(value));
  }
  return query;
}
