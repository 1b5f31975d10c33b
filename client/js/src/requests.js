import { disconnected } from "./core.js";
import { encode } from "./protocol/codec.js";
import { Disconnected, SwarmwireError, errorFrom } from "./protocol/errors.js";
import { checkPatience, patienceOf, watchPatience } from "./patience.js";
import { checkSize } from "./size.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./core.js").Wire} Wire */
/** @typedef {import("./protocol/messages.js").Ack} Ack */
/** @typedef {import("./protocol/messages.js").Reply} Reply */
/** @typedef {import("./protocol/messages.js").ErrorMessage} ErrorMessage */
/** @typedef {Ack | Reply | ErrorMessage} Answer */

/**
 * Who waits for the answers to one request. Both are called at once when it is known, before whatever the
 * broker sent after it is looked at.
 * @typedef {object} Asker
 * @property {(message: Answer) => boolean} answer true if it was the last one
 * @property {(error: SwarmwireError) => void} lost the connection ended first
 */

/** Requests that wait for their answers at once; one more is refused. */
export const MAX_PENDING = 10_000;

/** The requests of the present connection by their id. Nothing here is ever sent twice, or sent later. */
export class Requests {
  #core;
  /** @type {Map<string | number, Asker>} */
  #waiting = new Map();
  /** @type {((message: Answer) => boolean)[]} */
  #others = [];
  /** @type {SwarmwireError | null} */
  #ended = null;

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
    core.onLoss(() => this.#lost());
    core.onEnd((error) => this.#end(error));
  }

  /**
   * Let somebody else take answers to ids that nobody here waits for.
   * @param {(message: Answer) => boolean} take true if the answer was for them
   */
  also(take) {
    this.#others.push(take);
  }

  /**
   * Send a request, and wait for its answer. Of a streamed answer only the last reply counts.
   * @param {{ type: string, [field: string]: unknown }} message without its id
   * @param {{ timeoutMs?: number | null, signal?: AbortSignal }} [options]
   * @returns {Promise<Ack | Reply>}
   * @throws {SwarmwireError} what the broker answered; TIMEOUT; UNAVAILABLE where there is no connection;
   *   OUTCOME_UNKNOWN where it was lost before the answer; MESSAGE_TOO_LARGE; LIMIT_EXCEEDED
   */
  async request(message, { timeoutMs, signal } = {}) {
    const ms = patienceOf(timeoutMs, this.#core.settings.requestTimeoutMs);
    const wait = { what: message.type, ms, signal };
    checkPatience(wait);
    return new Promise((resolve, reject) => {
      const asker = new OneAnswer(resolve, reject);
      const giveUp = this.ask(message, asker);
      asker.watch(this.#core.clock, wait, giveUp);
    });
  }

  /**
   * Send a request. Returns what gives it up: nobody hears of its answer then, and of a call the broker is
   * told.
   * @param {{ type: string, [field: string]: unknown }} message without its id
   * @param {Asker} asker
   * @returns {() => void} harmless twice, and after the answer
   * @throws {SwarmwireError} UNAVAILABLE, MESSAGE_TOO_LARGE, LIMIT_EXCEEDED: nothing was sent then
   */
  ask(message, asker) {
    const wire = this.#wire(message.type);
    const id = this.#core.nextId();
    const text = encode(/** @type {import("./protocol/messages.js").ClientMessage} */ ({ ...message, id }));
    checkSize(text, this.#core.welcome?.limits.max_message_bytes);
    this.#waiting.set(id, asker);
    wire.write(text);
    return () => this.#giveUp(id, asker, message.type, wire);
  }

  /**
   * Hand an answer of the broker to who waits for it; false if nobody does (any more).
   * @param {Answer} message
   */
  settle(message) {
    if (message.id === undefined) return false;
    const asker = this.#waiting.get(message.id);
    if (asker === undefined) return this.#others.some((take) => take(message));
    if (asker.answer(message)) this.#waiting.delete(message.id);
    return true;
  }

  /** @param {string} what */
  #wire(what) {
    const wire = this.#core.wire;
    if (wire === null) {
      throw this.#ended ?? new Disconnected(`There is no connection for this ${what}; it was not sent.`);
    }
    if (this.#waiting.size < MAX_PENDING) return wire;
    const sentence = `At most ${MAX_PENDING} requests wait for their answers at once.`;
    throw new SwarmwireError("LIMIT_EXCEEDED", sentence);
  }

  /**
   * @param {number} id
   * @param {Asker} asker
   * @param {string} type
   * @param {Wire} wire
   */
  #giveUp(id, asker, type, wire) {
    if (this.#waiting.get(id) !== asker) return;
    this.#waiting.delete(id);
    if (type === "call") wire.send({ type: "cancel", id });
  }

  #lost() {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const asker of waiting.values()) {
      const sentence = "The connection was lost before the answer came; it may have been done.";
      asker.lost(new SwarmwireError("OUTCOME_UNKNOWN", sentence));
    }
  }

  /** @param {SwarmwireError | null} error */
  #end(error) {
    this.#ended = error ?? disconnected();
    this.#lost();
  }
}

/** A request with one answer. */
class OneAnswer {
  #resolve;
  #reject;
  #done = false;
  #release = () => {};
  /** @type {Reply | null} */
  #last = null;

  /**
   * @param {(answer: Ack | Reply) => void} resolve
   * @param {(error: unknown) => void} reject
   */
  constructor(resolve, reject) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /**
   * Give up when the caller's patience ends. Over some transports the answer may have come already.
   * @param {import("./clock.js").Clock} clock
   * @param {import("./patience.js").Wait} wait
   * @param {() => void} giveUp
   */
  watch(clock, wait, giveUp) {
    if (this.#done) return;
    this.#release = watchPatience(clock, wait, (error) => {
      giveUp();
      this.#reject(error);
    });
  }

  /** @param {Answer} message */
  answer(message) {
    if (message.type === "reply" && message.more) {
      this.#last = message;
      return false;
    }
    this.#finish();
    if (message.type === "error") this.#reject(errorFrom(message));
    else this.#resolve(message.type === "reply" && message.end ? (this.#last ?? message) : message);
    return true;
  }

  /** @param {SwarmwireError} error */
  lost(error) {
    this.#finish();
    this.#reject(error);
  }

  #finish() {
    this.#done = true;
    this.#release();
  }
}
