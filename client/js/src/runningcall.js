import { encode } from "./protocol/codec.js";
import { Call, CallError } from "./callrecord.js";
import { HIGH_WATER } from "./outlet.js";
import { LOOK_MS } from "./pace.js";
import { checkSize } from "./size.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./core.js").Wire} Wire */
/** @typedef {import("./protocol/messages.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol/messages.js").Dispatch} Dispatch */

/**
 * What answers calls of a method. What it returns is the answer; what an (async) generator yields are replies
 * as they come.
 * @typedef {(params: any, call: Call) => unknown} HandlerFunction
 */

/** A call that a function of this client works on. */
export class RunningCall {
  #message;
  #wire;
  #core;
  #controller = new AbortController();

  /**
   * @param {Dispatch} message
   * @param {Wire} wire where it came from, and where its answer goes
   * @param {Core} core
   */
  constructor(message, wire, core) {
    this.#message = message;
    this.#wire = wire;
    this.#core = core;
  }

  /**
   * Nobody waits for the answer any more: nothing is said, and the function is told by the signal of its
   * call.
   */
  cancel() {
    this.#controller.abort();
  }

  /**
   * Let the function answer. Never rejects.
   * @param {HandlerFunction} handler
   */
  async run(handler) {
    const { signal } = this.#controller;
    try {
      const call = new Call(this.#message, signal, this.#core.clock);
      const result = await handler(this.#message.params ?? null, call);
      if (isStream(result)) await this.#stream(result);
      else this.#say({ type: "reply", id: this.#message.id, data: result ?? null });
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** @param {AsyncIterable<unknown> | Iterable<unknown>} replies */
  async #stream(replies) {
    const { id } = this.#message;
    for await (const data of replies) {
      if (!this.#say({ type: "reply", id, data: data ?? null, more: true })) return;
      await this.#room();
    }
    this.#say({ type: "reply", id, data: null, end: true });
  }

  /** A stream gives others their turn, and is no faster than the socket. */
  async #room() {
    const { clock } = this.#core;
    await new Promise((resolve) => clock.soon(() => resolve(null)));
    while (this.#wire.buffered >= HIGH_WATER && !this.#controller.signal.aborted) {
      await new Promise((resolve) => clock.after(LOOK_MS, () => resolve(null)));
    }
  }

  /**
   * Send an answer; false where nobody waits for it, or it is over the broker's limit and the call has
   * failed.
   * @param {ClientMessage} message
   */
  #say(message) {
    if (this.#controller.signal.aborted) return false;
    const text = encode(message);
    const most = this.#core.welcome?.limits.max_message_bytes;
    try {
      checkSize(text, most);
    } catch {
      this.#refuse("MESSAGE_TOO_LARGE", `The answer is larger than ${most} bytes.`);
      return false;
    }
    this.#wire.write(text);
    return true;
  }

  /** @param {unknown} error what the function threw, or why its answer cannot be sent */
  #fail(error) {
    if (error instanceof CallError && this.#tell(error)) return;
    this.#core.report(error);
    this.#refuse("HANDLER_FAILED", "The handler failed.");
  }

  /**
   * Answer with an error of the handler's own; false where JSON cannot hold it.
   * @param {CallError} error
   */
  #tell({ code, message, field, details, retryAfterMs }) {
    const { id } = this.#message;
    try {
      this.#say({ type: "error", id, code, message, field, details, retry_after_ms: retryAfterMs });
    } catch {
      return false;
    }
    return true;
  }

  /**
   * @param {string} code
   * @param {string} message
   */
  #refuse(code, message) {
    this.#wire.send({ type: "error", id: this.#message.id, code, message });
  }
}

/**
 * Whether the values are replies of their own. A list is one answer, and so is a text.
 * @param {any} result
 * @returns {result is AsyncIterable<unknown> | Iterable<unknown>}
 */
function isStream(result) {
  if (typeof result !== "object" || result === null) return false;
  return Symbol.asyncIterator in result || (Symbol.iterator in result && typeof result.next === "function");
}
