import { isShared } from "./ask.js";
import { Asking } from "./asking.js";
import { Gap } from "./events.js";
import { Feed } from "./feed.js";
import { parseCursor } from "./protocol/cursor.js";
import { SwarmwireError } from "./protocol/errors.js";
import { matches } from "./protocol/topics.js";

/** @typedef {import("./ask.js").Ask} Ask */
/** @typedef {import("./buffer.js").Buffer} Buffer */
/** @typedef {import("./core.js").Core} Core */

/** Topics whose subscriptions are remembered; when they are more, all are forgotten. */
export const CACHED_TOPICS = 10_000;

const RETRY_MS = 1000;
/** @type {readonly string[]} */
const PASSING = ["RATE_LIMIT_EXCEEDED", "UNAVAILABLE"];

/** All subscriptions of a client: what to ask the broker for, and which of them an event is for. */
export class Subscriptions {
  /** Whether an iterator is more than half full: its reader should get a turn. */
  pressed = false;
  #core;
  #numbers = 0;
  /** @type {Map<string, Feed>} */
  #feeds = new Map();
  /** @type {Map<string, Feed[]>} */
  #shared = new Map();
  #asking;
  /** @type {Map<Feed, () => void>} */
  #retries = new Map();

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
    this.#asking = new Asking(core, (feed, error) => this.#refuse(feed, error));
  }

  // ---- What users do

  /**
   * Add a subscription, and ask for it if there is a connection.
   * @param {Ask} ask
   * @param {Buffer} buffer
   * @param {{ gaps?: boolean, live?: boolean }} marks
   */
  open(ask, buffer, marks) {
    const feed = new Feed(this.#newName(), ask, buffer, marks);
    this.#add(feed);
    this.#askFor([feed]);
    return feed;
  }

  /**
   * Remove a subscription, and tell the broker. Harmless twice.
   * @param {Feed} feed
   */
  close(feed) {
    if (feed.state === "ended") return;
    const known = feed.listens;
    this.#remove(feed, null);
    if (known) this.#asking.unsubscribe(feed.name);
  }

  /**
   * Ask again for a subscription that was paused, once its iterator is half empty.
   * @param {Feed} feed
   */
  wake(feed) {
    if (feed.state !== "paused" || !feed.buffer.halfEmpty) return;
    feed.state = "idle";
    this.#askFor([feed]);
  }

  /**
   * End all subscriptions: by intent, or because the connection failed for good.
   * @param {SwarmwireError | null} error
   */
  end(error) {
    for (const feed of [...this.#feeds.values()]) this.#remove(feed, error);
  }

  // ---- What the connection does

  /**
   * Ask again for everything, each at its own place; `done` is called when all is answered.
   * @param {() => void} done
   */
  connected(done) {
    const idle = [...this.#feeds.values()].filter((feed) => feed.state === "idle");
    if (idle.length === 0) done();
    else this.#asking.subscribe(idle, done);
  }

  /** The connection is gone: nothing is asked for any more. */
  lost() {
    this.#asking.lost();
    for (const feed of this.#feeds.values()) if (feed.listens) feed.state = "idle";
  }

  /**
   * Take the answer of a request; false if it is of none of ours.
   * @param {import("./asking.js").Answer} message
   */
  settle(message) {
    return this.#asking.settle(message);
  }

  // ---- What the broker says

  /**
   * Hand an event to the subscription it names; without a name, to every live one that it matches.
   * @param {import("./protocol/messages.js").EventMessage} message
   * @param {number} size the characters of the message
   */
  takeEvent(message, size) {
    if (message.sub !== undefined) {
      const feed = this.#feeds.get(message.sub);
      if (feed?.listens) this.#give(feed, message, size);
      return;
    }
    for (const feed of this.#matching(message.topic)) {
      if (feed.state === "live") this.#give(feed, message, size);
    }
  }

  /** @param {import("./protocol/messages.js").LiveMessage} message */
  takeLive(message) {
    const feed = this.#feeds.get(message.sub);
    if (feed?.listens) feed.wentLive(parseCursor(message.cursor));
  }

  /** @param {import("./protocol/messages.js").PositionMessage} message */
  takePosition(message) {
    const cursor = parseCursor(message.cursor);
    for (const feed of this.#meant(message.sub)) feed.reached(cursor);
  }

  /** @param {import("./protocol/messages.js").GapMessage} message */
  takeGap(message) {
    const end = parseCursor(message.to);
    for (const feed of this.#meant(message.sub)) {
      const { from, to, reason, dropped = null } = message;
      const gap = feed.missed(new Gap(from, to, reason, feed.ask.pattern, dropped), end);
      if (gap === null) continue;
      if (gap.reason === "denied") this.#deny(feed);
      else if (!feed.passGap(gap, end)) {
        this.#pause(feed);
        continue;
      }
      this.#core.emit("gap", gap);
    }
  }

  // ---- Inside

  /**
   * The subscription of that name; without a name, all that share the position of the connection.
   * @param {string | undefined} name
   */
  #meant(name) {
    if (name === undefined) {
      return [...this.#feeds.values()].filter((feed) => feed.state === "live" && isShared(feed.ask));
    }
    const feed = this.#feeds.get(name);
    return feed?.listens ? [feed] : [];
  }

  /** @param {string} topic */
  #matching(topic) {
    const known = this.#shared.get(topic);
    if (known !== undefined) return known;
    const feeds = [...this.#feeds.values()].filter(({ ask }) => isShared(ask) && matches(ask.pattern, topic));
    if (this.#shared.size >= CACHED_TOPICS) this.#shared.clear();
    this.#shared.set(topic, feeds);
    return feeds;
  }

  /**
   * @param {Feed} feed
   * @param {import("./protocol/messages.js").EventMessage} message
   * @param {number} size
   */
  #give(feed, message, size) {
    if (!feed.take(message, size)) this.#pause(feed);
    else if (!feed.buffer.halfEmpty) this.pressed = true;
  }

  /**
   * Tell the broker to stop. What it has sent already is dropped, and comes again from the place received.
   * The next time is under another name: what was on its way under this one must not be taken for the new.
   * @param {Feed} feed
   */
  #pause(feed) {
    const name = feed.name;
    this.#forget(feed);
    feed.name = this.#newName();
    feed.state = "paused";
    this.#add(feed);
    this.#asking.unsubscribe(name);
  }

  /** @param {Feed} feed */
  #deny(feed) {
    const sentence = `The identity may no longer subscribe to ${feed.ask.pattern}.`;
    this.#remove(feed, new SwarmwireError("PERMISSION_DENIED", sentence));
  }

  /**
   * @param {Feed} feed
   * @param {SwarmwireError} error
   */
  #refuse(feed, error) {
    if (!feed.acknowledged || !passes(error)) {
      this.#remove(feed, error);
      return;
    }
    feed.state = "idle";
    this.#retries.get(feed)?.();
    const again = () => {
      this.#retries.delete(feed);
      this.#askFor([feed]);
    };
    this.#retries.set(feed, this.#core.clock.after(error.retryAfterMs ?? RETRY_MS, again));
  }

  /** @param {Feed[]} feeds */
  #askFor(feeds) {
    const idle = feeds.filter((feed) => feed.state === "idle");
    if (idle.length > 0 && this.#core.wire !== null) this.#asking.subscribe(idle, () => {});
  }

  /** @param {Feed} feed */
  #add(feed) {
    this.#feeds.set(feed.name, feed);
    this.#shared.clear();
  }

  /** @param {Feed} feed */
  #forget(feed) {
    this.#feeds.delete(feed.name);
    this.#shared.clear();
    this.#retries.get(feed)?.();
    this.#retries.delete(feed);
  }

  /**
   * @param {Feed} feed
   * @param {SwarmwireError | null} error
   */
  #remove(feed, error) {
    this.#forget(feed);
    feed.stop(error);
  }

  #newName() {
    this.#numbers += 1;
    return `s${this.#numbers}`;
  }
}

/**
 * Whether a subscription that was good before will be so again after a while.
 * @param {SwarmwireError} error
 */
function passes(error) {
  return error.retryAfterMs !== undefined || PASSING.includes(error.code);
}
