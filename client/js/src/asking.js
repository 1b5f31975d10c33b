import { parseCursor } from "./protocol/cursor.js";
import { errorFrom, SwarmwireError } from "./protocol/errors.js";
import { MOST_BYTES } from "./size.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {import("./protocol/messages.js").Ack} Ack */
/** @typedef {import("./protocol/messages.js").ErrorMessage} ErrorMessage */
/** @typedef {import("./protocol/messages.js").Reply} Reply */
/** @typedef {import("./protocol/messages.js").SubscribeResult} SubscribeResult */
/** @typedef {import("./protocol/messages.js").SubscriptionItem} SubscriptionItem */
/** @typedef {Ack | Reply | ErrorMessage} Answer */

/** Bytes of a subscribe around its subscriptions, with room to spare. */
const ENVELOPE = 128;

/**
 * The subscribes and unsubscribes of one connection. They are decided at once when they are answered, before
 * whatever the broker sent behind the answer.
 */
export class Asking {
  #core;
  #refused;
  /** @type {Map<unknown, { feeds: Map<string, Feed>, done: () => void }>} */
  #asked = new Map();

  /**
   * @param {Core} core
   * @param {(feed: Feed, error: SwarmwireError) => void} refused
   */
  constructor(core, refused) {
    this.#core = core;
    this.#refused = refused;
  }

  /**
   * Ask for subscriptions, each at its own place: in one message, or in as few as the limits of the broker
   * allow.
   * @param {Feed[]} feeds
   * @param {() => void} done called when all is answered
   */
  subscribe(feeds, done) {
    const { wire, epoch } = this.#core;
    for (const feed of feeds) {
      const gap = feed.beginAnew(epoch);
      if (gap !== null) this.#core.emit("gap", gap);
    }
    const parts = this.#parts(feeds, epoch);
    let unanswered = parts.length;
    const answered = () => {
      unanswered -= 1;
      if (unanswered === 0) done();
    };
    for (const part of parts) {
      const id = this.#core.nextId();
      this.#asked.set(id, { feeds: new Map(part.map(({ feed }) => [feed.name, feed])), done: answered });
      wire?.send({ type: "subscribe", id, subscriptions: part.map(({ item }) => item) });
    }
  }

  /**
   * Nobody waits for the answer: what still comes finds no subscription.
   * @param {string} name
   */
  unsubscribe(name) {
    this.#core.wire?.send({ type: "unsubscribe", id: this.#core.nextId(), subs: [name] });
  }

  /**
   * Take an answer; false if it is to none of ours.
   * @param {Answer} message
   */
  settle(message) {
    const asked = this.#asked.get(message.id);
    if (asked === undefined) return false;
    this.#asked.delete(message.id);
    if (message.type !== "reply") this.#decide(asked.feeds, message);
    asked.done();
    return true;
  }

  /** The connection is gone, and with it the answers. */
  lost() {
    this.#asked.clear();
  }

  /**
   * @param {Map<string, Feed>} feeds
   * @param {Ack | ErrorMessage} message
   */
  #decide(feeds, message) {
    const results = message.results ?? [];
    for (const result of results) this.#answered(feeds.get(result.sub), result);
    if (message.type !== "error" || results.length > 0) return;
    const error = errorFrom(message);
    for (const [name, feed] of feeds) if (isStill(feed, name)) this.#refused(feed, error);
  }

  /**
   * @param {Feed | undefined} feed
   * @param {SubscribeResult} result
   */
  #answered(feed, { sub, cursor, error }) {
    if (feed === undefined || !isStill(feed, sub)) return;
    if (error !== undefined) this.#refused(feed, errorFrom(error));
    else if (cursor !== undefined) feed.accepted(parseCursor(cursor));
  }

  /**
   * @param {Feed[]} feeds
   * @param {string} epoch
   */
  #parts(feeds, epoch) {
    const limit = this.#core.welcome?.limits.max_message_bytes ?? Infinity;
    /** @type {{ feed: Feed, item: SubscriptionItem }[][]} */
    const parts = [];
    let size = 0;
    for (const feed of feeds) {
      const item = feed.request(epoch);
      const length = JSON.stringify(item).length * MOST_BYTES + 1;
      if (parts.length === 0 || size + length > limit) {
        parts.push([]);
        size = ENVELOPE;
      }
      parts[parts.length - 1].push({ feed, item });
      size += length;
    }
    return parts;
  }
}

/**
 * Whether what was asked for under this name still is.
 * @param {Feed} feed
 * @param {string} name
 */
function isStill(feed, name) {
  return feed.name === name && feed.listens;
}
