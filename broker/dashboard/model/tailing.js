/** The slice `tail`: what comes live, by the stream of everything or one of its own, or a page of the log. */

import { before, readPage } from "./logpage.js";
import { failureOf } from "./poll.js";
import { Stream } from "./stream.js";
import { TailLines } from "./tail.js";

/** @typedef {import("./slices.js").TailQuery} TailQuery */
/** @typedef {import("./slices.js").TailSlice} TailSlice */
/** @typedef {import("./stream.js").Reader} Reader */
/** @typedef {import("./tail.js").Missing} Missing */

/** Events that may wait at the broker for who wants to see every one. */
const QUEUE = 1000;

export class Tailing {
  #lines = new TailLines();
  #clock;
  /** @type {Reader|null} */
  #client = null;
  /** What is shown: pattern, mode and jump. */
  #key = "";
  /** @type {TailQuery|null} */
  #query = null;
  /** @type {Stream|null} */
  #stream = null;
  /** @type {{close(): void}|null} */
  #reading = null;
  #loading = false;
  /** @type {string|null} */
  #newer = null;
  /** @type {string|null} */
  #older = null;
  #news = 0;

  /** @param {import("./stream.js").Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  get revision() {
    return this.#lines.revision + this.#news;
  }

  /** There is a client. @param {Reader} client */
  start(client) {
    this.#client = client;
    if (this.#query !== null) this.#begin(this.#query);
  }

  /** There is none any more. */
  stop() {
    this.#client = null;
    this.#close();
  }

  /** Nobody looks. */
  rest() {
    if (this.#query === null) return;
    this.#close();
    this.#lines.clear();
    this.#query = null;
    this.#key = "";
  }

  /** An event of the stream of everything. @param {import("./event.js").TopicEvent} event */
  take(event) {
    if (this.#rides) this.#lines.take(event);
  }

  /** @param {Missing} gap */
  takeGap(gap) {
    if (this.#rides) this.#lines.takeGap(gap, this.#clock.date());
  }

  /**
   * @param {TailQuery} query
   * @param {string|null} head  where the stream of everything stands
   * @returns {TailSlice}
   */
  slice(query, head) {
    const key = JSON.stringify([query.pattern, query.mode, query.jump]);
    const isOther = key !== this.#key;
    this.#query = query;
    this.#key = key;
    if (isOther) this.#begin(query);
    this.#lines.pause(query.paused && query.jump === null);
    return {
      error: this.#lines.error,
      rows: this.#lines.rows(query.offset ?? 0, query.limit),
      total: this.#lines.size,
      position: query.jump === null ? (this.#stream?.cursor ?? head) : this.#newer,
      more: this.#newer !== null,
      older: this.#older,
      newer: this.#newer,
      held: this.#lines.held,
      loading: this.#loading,
    };
  }

  /** Whether it is shown what the stream of everything brings. */
  get #rides() {
    return this.#query !== null && this.#query.mode === "conflated" && this.#query.jump === null;
  }

  /** @param {TailQuery} query */
  #begin(query) {
    this.#close();
    if (!this.#lines.begin(query.pattern) || this.#client === null) return;
    if (query.jump !== null) void this.#jump(this.#client, query.pattern, query.jump);
    else if (query.mode === "every") this.#follow(this.#client, query.pattern);
  }

  #close() {
    this.#stream?.close();
    this.#reading?.close();
    this.#stream = this.#reading = this.#newer = this.#older = null;
    this.#loading = false;
    this.#news += 1;
  }

  /** @param {Reader} client @param {string} pattern */
  #follow(client, pattern) {
    const hooks = {
      take: (/** @type {import("./event.js").TopicEvent} */ event) => this.#lines.take(event),
      gap: (/** @type {Missing} */ gap) => this.#lines.takeGap(gap, this.#clock.date()),
      live: () => {},
      anew: () => {},
      failed: (/** @type {unknown} */ fault) => this.#fail(fault),
    };
    const what = { patterns: [pattern], from: "now", options: { mode: "drop_oldest", queueSize: QUEUE } };
    this.#stream = new Stream(client, what, hooks, this.#clock);
    this.#stream.start();
  }

  /** @param {Reader} client @param {string} pattern @param {string} cursor */
  async #jump(client, pattern, cursor) {
    const key = this.#key;
    const isStill = () => key === this.#key && this.#client === client;
    this.#loading = true;
    try {
      this.#older = before(cursor);
      const page = await readPage(client, pattern, cursor, (reading) => (this.#reading = reading));
      if (!isStill()) return;
      for (const item of page.items) {
        if ("topic" in item) this.#lines.take(item);
        else this.#lines.takeGap(item, this.#clock.date());
      }
      this.#newer = page.newer;
    } catch (fault) {
      if (isStill()) this.#fail(fault);
    }
    if (!isStill()) return;
    this.#loading = false;
    this.#news += 1;
  }

  /** @param {unknown} fault */
  #fail(fault) {
    this.#lines.error = failureOf(fault);
    this.#news += 1;
  }
}
