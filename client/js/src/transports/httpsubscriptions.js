import { errorMessage } from "./httpproblem.js";
import { HttpStream } from "./httpstream.js";
import { isNode } from "./platform.js";

/** @typedef {import("./httprequests.js").HttpRequests} HttpRequests */
/** @typedef {import("./httpstream.js").Item} Item */
/** @typedef {{ stream: HttpStream, abort: AbortController }} Running */

/** A page has few connections to one host; two are left for all that is not a stream. */
const MAX_STREAMS = isNode() ? Infinity : 4;

/** The subscriptions of a connection over HTTP, each a stream of its own. */
export class HttpSubscriptions {
  #requests;
  #spawn;
  #deliver;
  /** @type {Map<string, Running>} */
  #streams = new Map();
  /** Where the log was at the welcome. */
  cursor = "";
  /** @type {number | null} */
  silenceMs = null;

  /**
   * @param {HttpRequests} requests
   * @param {(work: () => Promise<void>) => Promise<void>} spawn runs a stream
   * @param {(text: string) => void} deliver
   */
  constructor(requests, spawn, deliver) {
    this.#requests = requests;
    this.#spawn = spawn;
    this.#deliver = deliver;
  }

  /**
   * Open a stream for each subscription, and answer when all are decided.
   * @param {{ id: string | number, subscriptions: Item[] }} message
   */
  async subscribe({ id, subscriptions }) {
    const streams = subscriptions.map((item) => this.#open(item));
    const results = await Promise.all(streams.map((stream) => stream.began));
    const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
    const isRefused = errors.length > 0 && errors.length === results.length;
    this.#deliver(JSON.stringify(isRefused ? { ...errors[0], id, results } : { type: "ack", id, results }));
    for (const stream of streams) stream.goOn();
  }

  /**
   * End streams by name, and answer.
   * @param {{ id: string | number, subs: string[] }} message
   */
  unsubscribe({ id, subs }) {
    const known = subs.filter((name) => this.#stop(name));
    const message = `There is no subscription ${JSON.stringify(subs[0])}.`;
    const unknown = { code: "NOT_FOUND", message, field: "subs" };
    const answer = known.length > 0 ? { type: "ack", id } : errorMessage(unknown, id);
    this.#deliver(JSON.stringify(answer));
  }

  /** Open all streams anew, each from its place: with the login that counts now. */
  restart() {
    for (const { stream, abort } of [...this.#streams.values()]) {
      abort.abort();
      this.#run(stream);
    }
  }

  /** End all. */
  close() {
    for (const { abort } of this.#streams.values()) abort.abort();
    this.#streams.clear();
  }

  /** @param {Item} item */
  #open(item) {
    const stream = new HttpStream(this.#requests, item, {
      cursor: this.cursor,
      silenceMs: this.silenceMs,
      deliver: this.#deliver,
    });
    this.#stop(stream.name);
    if (this.#streams.size < MAX_STREAMS) this.#run(stream);
    else stream.giveUp("LIMIT_EXCEEDED", `Over HTTP a page has at most ${MAX_STREAMS} subscriptions.`);
    return stream;
  }

  /** @param {HttpStream} stream */
  #run(stream) {
    const running = { stream, abort: new AbortController() };
    this.#streams.set(stream.name, running);
    void this.#spawn(() => this.#read(running));
  }

  /** @param {Running} running */
  async #read(running) {
    const { stream, abort } = running;
    try {
      await stream.run(abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      if (this.#streams.get(stream.name) === running) this.#streams.delete(stream.name);
    }
  }

  /** @param {string} name */
  #stop(name) {
    const running = this.#streams.get(name);
    if (running === undefined) return false;
    this.#streams.delete(name);
    running.stream.giveUp("CANCELLED", "The subscription was given up before it began.");
    running.abort.abort();
    return true;
  }
}
