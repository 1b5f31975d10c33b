import { disposeBy } from "./disposal.js";
import { errorFrom, SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./requests.js").Answer} Answer */

/** @typedef {IteratorResult<any, undefined>} Step */

/**
 * A call that was sent: what gives it up, and what ends the watch over its caller's patience.
 * @typedef {{ giveUp: () => void, release: () => void }} SentCall
 */

/** @typedef {{ resolve: (step: Step) => void, reject: (error: unknown) => void }} Reader */

/**
 * The replies to one call as they come. The call is sent when the first reply is asked for, and cancelled
 * when the loop is left. At most `limit` replies wait to be read; with one more the call is cancelled too.
 */
export class ReplyStream {
  #send;
  #limit;
  /** @type {SentCall | null} */
  #call = null;
  /** @type {unknown[]} */
  #replies = [];
  /** @type {Reader[]} */
  #readers = [];
  #over = false;
  /** @type {{ error: unknown } | null} */
  #failure = null;

  /**
   * @param {(stream: ReplyStream) => SentCall} send
   * @param {number} limit
   */
  constructor(send, limit) {
    this.#send = send;
    this.#limit = limit;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /**
   * Wait for the next reply.
   * @returns {Promise<Step>}
   * @throws {SwarmwireError} what the call failed with, once all replies before it were read
   */
  async next() {
    if (this.#call === null && !this.#over) this.#start();
    if (this.#replies.length > 0) return { value: this.#replies.shift(), done: false };
    if (!this.#over) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
    return ENDED;
  }

  /**
   * Read no more, and give the call up if it goes on. A `for await` that is left does this. Harmless twice.
   * @returns {Promise<Step>}
   */
  async return() {
    this.#giveUp(null);
    this.#replies = [];
    this.#failure = null;
    return ENDED;
  }

  // ---- What becomes of the call

  /** @param {Answer} message */
  answer(message) {
    if (message.type === "error") this.#end({ error: errorFrom(message) });
    else if (message.type === "reply" && !message.end) this.#take(message.data, message.more === true);
    else this.#end(null);
    return this.#over;
  }

  /**
   * The connection was lost, or the caller's patience has ended.
   * @param {unknown} error
   */
  lost(error) {
    this.#giveUp({ error });
  }

  // ---- Inside

  #start() {
    try {
      this.#call = this.#send(this);
    } catch (error) {
      this.#over = true;
      throw error;
    }
    if (this.#over) this.#call.release();
  }

  /**
   * @param {unknown} data
   * @param {boolean} more
   */
  #take(data, more) {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader.resolve({ value: data, done: false });
    else if (this.#replies.length < this.#limit) this.#replies.push(data);
    else this.#giveUp({ error: tooSlow(this.#limit) });
    if (!more) this.#end(null);
  }

  /** @param {{ error: unknown } | null} failure */
  #giveUp(failure) {
    this.#call?.giveUp();
    this.#end(failure);
  }

  /** @param {{ error: unknown } | null} failure null: all has come */
  #end(failure) {
    if (this.#over) return;
    this.#over = true;
    this.#call?.release();
    const [first, ...others] = this.#readers.splice(0);
    if (failure === null || first === undefined) this.#failure = failure;
    else first.reject(failure.error);
    if (failure === null) first?.resolve(ENDED);
    for (const reader of others) reader.resolve(ENDED);
  }
}

/** @param {number} limit */
function tooSlow(limit) {
  return new SwarmwireError("SLOW_CONSUMER", `More than ${limit} replies were waiting to be read.`);
}

/** @type {Step} */
const ENDED = Object.freeze({ value: undefined, done: true });

disposeBy(ReplyStream.prototype, ReplyStream.prototype.return);
