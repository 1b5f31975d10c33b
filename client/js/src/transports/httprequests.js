import { onAbort } from "../abort.js";
import { SwarmwireError } from "../protocol/errors.js";
import { MAX_RECEIVED_BYTES } from "./carrier.js";
import { Lost } from "./httpproblem.js";
import { shownUrl } from "./url.js";

export const HELLO = "v1/hello";
export const PUBLISH = "v1/publish";
export const EVENTS = "v1/events";
const HEALTH = "healthz";
export const NDJSON = "application/x-ndjson";

export const OK = 200;

/**
 * @typedef {object} Asking
 * @property {"GET" | "POST"} [method]
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 * @property {boolean} [blind] of the answer nothing is looked at; then a page may ask any broker
 * @property {AbortSignal} [signal]
 * @property {number | null} [silenceMs] at most so long without a byte
 */

/** An answer whose text comes in pieces. */
class Streamed {
  /**
   * @param {number} status
   * @param {AsyncIterable<string>} pieces
   */
  constructor(status, pieces) {
    this.status = status;
    this.pieces = pieces;
  }

  async whole() {
    let text = "";
    for await (const piece of this.pieces) {
      text += piece;
      if (text.length > MAX_RECEIVED_BYTES) {
        throw new Lost(`An answer has at most ${MAX_RECEIVED_BYTES} characters.`);
      }
    }
    return { status: this.status, text };
  }
}

/** Asks one broker over HTTP. No cookie is sent, no redirect is followed, and nothing is cached. */
export class HttpRequests {
  #base;
  /** @type {Record<string, string>} */
  #headers = {};

  /**
   * @param {string} url
   * @throws {SwarmwireError} INVALID_MESSAGE for a URL that is none
   */
  constructor(url) {
    this.#base = baseOf(url);
  }

  /**
   * Be this client in every request from now on.
   * @param {string} [instance]
   * @param {string} [token]
   */
  introduce(instance, token) {
    if (instance !== undefined) this.#headers["X-Swarmwire-Instance"] = instance;
    if (token !== undefined) this.renew(token);
  }

  /** @param {string} token used from now on */
  renew(token) {
    this.#headers["Authorization"] = `Bearer ${token}`;
  }

  /**
   * Ask whether the broker is there: whatever it answers will do.
   * @param {Asking} [asking]
   * @throws {Lost} when nothing is answered
   */
  async touch(asking = {}) {
    await this.ask(HEALTH, { ...asking, blind: true });
  }

  /**
   * Ask, and wait for all of the answer.
   * @param {string} path
   * @param {Asking} [asking]
   * @throws {Lost} when there is none
   */
  async ask(path, asking = {}) {
    return this.answering(path, asking, (answer) => answer.whole());
  }

  /**
   * Ask, and let the answer be read as it comes; whatever is left of it then is given up.
   * @template T
   * @param {string} path
   * @param {Asking} asking
   * @param {(answer: Streamed) => Promise<T>} read
   * @returns {Promise<T>}
   * @throws {Lost} when the answer does not come, or not whole; and the reason of the signal
   */
  async answering(path, { method = "GET", headers, body, blind, signal, silenceMs = null }, read) {
    const silence = new Silence(silenceMs);
    signal?.throwIfAborted();
    const forget = onAbort(signal, () => silence.stop(signal?.reason));
    try {
      const response = await fetch(new URL(path, this.#base), {
        method,
        mode: blind ? "no-cors" : "cors",
        headers: blind ? {} : { ...this.#headers, ...headers },
        body,
        signal: silence.signal,
        cache: "no-store",
        credentials: "omit",
        redirect: blind ? "follow" : "error", // who asks blindly may choose no other
      });
      return await read(new Streamed(response.status, this.#pieces(response, silence)));
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TypeError || error === silence.signal.reason) throw lostBy(error);
      throw error;
    } finally {
      forget();
      silence.stop();
    }
  }

  /**
   * @param {Response} response
   * @param {Silence} silence
   */
  async *#pieces(response, silence) {
    silence.broken();
    if (response.body === null) return;
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read().catch((error) => Promise.reject(lostBy(error)));
      silence.broken();
      yield decoder.decode(value, { stream: !done });
      if (done) return;
    }
  }
}

/** Gives a request up that hears nothing for so long, and one that is of no use any more. */
class Silence {
  #abort = new AbortController();
  #ms;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {number | null} ms */
  constructor(ms) {
    this.#ms = ms;
    this.broken();
  }

  get signal() {
    return this.#abort.signal;
  }

  /** Something was heard. */
  broken() {
    clearTimeout(this.#timer);
    if (this.#ms === null || this.signal.aborted) return;
    this.#timer = setTimeout(() => this.stop(new Lost(`Nothing was heard for ${this.#ms} ms.`)), this.#ms);
  }

  /** @param {unknown} [reason] */
  stop(reason) {
    clearTimeout(this.#timer);
    this.#abort.abort(reason);
  }
}

/** @param {unknown} error */
function lostBy(error) {
  if (error instanceof Lost) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error ? cause.message : "no answer came";
  return new Lost(`The request was cut: ${why}.`, error);
}

/** @param {string} url */
function baseOf(url) {
  try {
    const base = new URL(url);
    if (/^https?:$/.test(base.protocol) && !base.search && !base.hash && !base.username && !base.password) {
      if (!base.pathname.endsWith("/")) base.pathname += "/";
      return base;
    }
  } catch {
    // It is no URL at all.
  }
  const sentence = `Expected a URL such as http://host:8765, got ${shownUrl(url)}.`;
  throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: "url" });
}
