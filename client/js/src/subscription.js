import { onAbort } from "./abort.js";
import { Buffer } from "./buffer.js";
import { disposeBy } from "./disposal.js";
import { Gap, Live } from "./events.js";
import { checkNames, wrong } from "./options.js";
import { Progress } from "./progress.js";
import { Disconnected } from "./protocol/errors.js";

/** @typedef {import("./ask.js").Ask} Ask */
/** @typedef {import("./ask.js").From} From */
/** @typedef {import("./ask.js").Mode} Mode */
/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./events.js").Event} Event */
/** @typedef {import("./feed.js").Feed} Feed */
/** @typedef {import("./place.js").ResumePlace} ResumePlace */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */

const OPTIONS = "from mode conflateMs queueSize buffer gaps live resume signal".split(" ");

/**
 * @typedef {object} SubscribeOptions
 * @property {From} [from] where to begin; by default "now"
 * @property {Mode} [mode] what becomes of a slow reader's events; by default "all"
 * @property {number} [conflateMs] instead of a mode: the latest event of every topic, once in so many
 *   milliseconds
 * @property {number} [queueSize] with "drop_oldest": events that may wait at the broker
 * @property {number} [buffer] events that wait here; beyond it the broker keeps them
 * @property {boolean} [gaps] whether a `Gap` stands among the events wherever some may be missing
 * @property {boolean} [live] whether one `Live` stands where the past is complete
 * @property {string} [resume] a key that the place is kept under, to go on from there after a reload of the
 *   page: `from` then counts for the first time only
 * @property {AbortSignal} [signal] ends it
 */

/**
 * Events of a pattern, in order: `for await (const event of subscription)`.
 *
 * The loop throws the error of a refused subscribe, or of a connection that failed for good. It ends cleanly
 * after `close()`, and when the client was disconnected; leaving the loop closes the subscription. An event
 * counts as consumed when the loop asks for the next, and at `commit()`.
 *
 * @template {Event | Gap | Live} [T=Event]
 * @implements {AsyncIterableIterator<T>}
 */
export class Subscription {
  /** What it subscribes to. */
  pattern;
  /**
   * Resolved with the subscription once the broker has acknowledged it.
   * @type {Promise<Subscription<T>>}
   */
  ready;
  #core;
  #buffer;
  #progress;
  #feed;
  #marks;
  #forgetSignal = () => {};
  #closed = false;

  /**
   * @param {Core} core
   * @param {Ask} ask
   * @param {SubscribeOptions} options
   * @param {ResumePlace | null} [store]
   */
  constructor(core, ask, options, store = null) {
    const { buffer = core.settings.queueSize, gaps = false, live = false, signal } = options;
    this.pattern = ask.pattern;
    this.#core = core;
    this.#buffer = new Buffer(buffer);
    this.#progress = new Progress(ask, this.#buffer, store, (error) => core.report(error));
    this.#marks = { gaps, live };
    const wanted = { gaps, live: live || this.#progress.remembers };
    this.#feed = core.subscriptions.open(this.#progress.ask, this.#buffer, wanted);
    this.#progress.begin(this.#feed);
    this.ready = this.#settled(this.#feed);
    this.ready.catch(() => {}); // also where nobody waits for it
    this.#feed.stopped = () => this.#stopped();
    this.#forgetSignal = onAbort(signal, () => this.close());
  }

  /**
   * The place up to which everything was consumed, for `from: {cursor}`; null while that is not known.
   * @returns {string | null}
   */
  get cursor() {
    return this.#progress.cursor;
  }

  /** Whether it was ended by intent. */
  get closed() {
    return this.#closed || (this.#core.ended && this.#core.error === null);
  }

  /**
   * End it; a loop over it then ends too. Harmless twice. An event that is worked on is not consumed by it.
   */
  close() {
    this.#closed = true;
    this.#buffer.end();
    this.#core.subscriptions.close(this.#feed);
    // The loop may still ask for the next, and so consume what it has.
    if (!this.#progress.inHand) this.#progress.close();
  }

  /**
   * Count the event that the loop works on as consumed, as asking for the next one does.
   * @throws {SwarmwireError} UNAVAILABLE where the place cannot be saved
   */
  commit() {
    this.#progress.consume();
  }

  // ---- Iterating

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<T, undefined>>} */
  async next() {
    this.#progress.consume();
    while (await this.#more()) {
      if (this.#buffer.idle) continue; // somebody else who waited was faster
      // Before anything is taken: a listener that commits must not commit what nobody was shown.
      if (this.#buffer.lost !== null) this.#core.emit("gap", this.#buffer.lost);
      const item = this.#buffer.take();
      this.#core.subscriptions.wake(this.#feed);
      this.#hand(item);
      if (this.#isShown(item)) return { done: false, value: /** @type {T} */ (item) };
      this.#progress.consume(); // nobody is shown it, and what follows may be long in coming
    }
    return { done: true, value: undefined };
  }

  /** @returns {Promise<IteratorReturnResult<undefined>>} */
  async return() {
    this.close();
    this.#progress.close();
    return { done: true, value: undefined };
  }

  /** @param {Event | Gap | Live} item */
  #hand(item) {
    if (item instanceof Live) this.#progress.handLive(item.cursor);
    else if (item.cursor !== null) this.#progress.hand(item.cursor);
  }

  /** @param {Event | Gap | Live} item */
  #isShown(item) {
    if (item instanceof Live) return this.#marks.live;
    return !(item instanceof Gap) || this.#marks.gaps;
  }

  async #more() {
    try {
      const more = await this.#buffer.wait();
      if (!more) this.#progress.close();
      return more;
    } catch (error) {
      this.#progress.close();
      throw error;
    }
  }

  // ---- Beginning and ending

  /**
   * @param {Feed} feed
   * @returns {Promise<Subscription<T>>}
   */
  #settled(feed) {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (feed.acknowledged) resolve(this);
        else reject(feed.error ?? new Disconnected(`The subscription to ${this.pattern} was ended.`));
      };
      if (feed.acknowledged || feed.state === "ended") settle();
      else feed.settled = settle;
    });
  }

  #stopped() {
    this.#forgetSignal();
    this.#progress.offer();
  }
}

disposeBy(Subscription.prototype, Subscription.prototype.return);

/**
 * Check what is asked of a subscription here; what is asked of the broker is checked by `askFor`.
 * @param {SubscribeOptions} options
 * @throws {SwarmwireError} INVALID_MESSAGE for an option that there is not, or without room for an event
 */
export function checkOptions(options) {
  checkNames(options, OPTIONS);
  const { buffer = 1 } = options;
  if (typeof buffer === "number" && buffer >= 1) return;
  throw wrong("buffer", "room for at least 1 event", buffer);
}
