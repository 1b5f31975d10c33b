import { SwarmwireError, errorFrom } from "./protocol/errors.js";
import { Handler } from "./handler.js";
import { checkNames, wrong } from "./options.js";
import { RunningCall } from "./runningcall.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./core.js").Wire} Wire */
/** @typedef {import("./protocol/messages.js").Cancel} Cancel */
/** @typedef {import("./protocol/messages.js").Dispatch} Dispatch */
/** @typedef {import("./requests.js").Requests} Requests */
/** @typedef {import("./runningcall.js").HandlerFunction} HandlerFunction */

/** Calls of one method that run at once, unless a handler says otherwise. */
export const MAX_CALLS = 100;

const OPTIONS = ["maxCalls"];

/**
 * All handlers of a client, one a method. Those who call hear one answer, or nothing once nobody waits for
 * it.
 */
export class Handlers {
  #core;
  #requests;
  /** @type {Map<string, Handler>} */
  #byMethod = new Map();
  /** @type {Map<string | number, RunningCall>} */
  #running = new Map();
  /** @type {Set<() => void>} */
  #whenIdle = new Set();

  /**
   * @param {Core} core
   * @param {Requests} requests
   */
  constructor(core, requests) {
    this.#core = core;
    this.#requests = requests;
    core.onWelcome(() => this.#connected());
    core.onLoss(() => this.#lost());
    core.onEnd((error) => this.#end(error));
  }

  /**
   * Let a function answer calls of a method, at most `maxCalls` at once; null and Infinity are no limit.
   * @param {string} method
   * @param {HandlerFunction} run
   * @param {{ maxCalls?: number | null }} [options]
   * @returns {Handler}
   * @throws {SwarmwireError} CONFLICT where one does already; INVALID_MESSAGE
   */
  handle(method, run, options = {}) {
    checkNames(options, OPTIONS);
    const { maxCalls = MAX_CALLS } = options;
    if (typeof run !== "function") throw wrong("handler", "a function", run);
    const most = maxCalls ?? Infinity;
    if (typeof most !== "number" || !(most >= 0)) throw wrong("maxCalls", "a number of calls", maxCalls);
    if (this.#byMethod.has(method)) {
      throw new SwarmwireError("CONFLICT", `This client handles ${method} already.`, { field: "method" });
    }
    const handler = new Handler(method, run, most, (ending) => this.#remove(ending));
    this.#byMethod.set(method, handler);
    if (this.#core.wire !== null) this.#register(handler);
    return handler;
  }

  /**
   * Take a call that the broker hands to this client, or the word that nobody waits for one any more.
   * @param {Dispatch | Cancel} message
   */
  take(message) {
    if (message.type === "cancel") this.#cancel(message);
    else if (this.#core.wire !== null) this.#begin(message, this.#core.wire);
  }

  /**
   * Take no more calls, and let those that run come to their end; who does not within this time is cancelled.
   * A handler that waits for this waits for itself, until that time is over.
   * @param {number} timeoutMs
   * @returns {Promise<void>}
   */
  async finish(timeoutMs) {
    for (const handler of [...this.#byMethod.values()]) this.#remove(handler);
    if (this.#running.size > 0) await this.#idle(timeoutMs);
    this.#cancelAll();
  }

  // ---- Registering

  #connected() {
    for (const handler of this.#byMethod.values()) this.#register(handler);
  }

  #lost() {
    for (const handler of this.#byMethod.values()) handler.become("waiting");
    this.#cancelAll();
  }

  /** @param {SwarmwireError | null} error */
  #end(error) {
    const handlers = [...this.#byMethod.values()];
    this.#byMethod.clear();
    for (const handler of handlers) handler.become("ended", error ?? takenAway());
    this.#cancelAll();
  }

  /** @param {Handler} handler */
  #register(handler) {
    this.#ask("rpc.register", handler, (error) => this.#answered(handler, error));
  }

  /**
   * @param {Handler} handler
   * @param {SwarmwireError | null} refusal
   */
  #answered(handler, refusal) {
    if (this.#byMethod.get(handler.method) !== handler) return;
    handler.become(refusal === null ? "registered" : "refused", refusal);
    if (refusal !== null) this.#core.report(refusal);
  }

  /** @param {Handler} handler */
  #remove(handler) {
    if (this.#byMethod.get(handler.method) !== handler) return;
    this.#byMethod.delete(handler.method);
    if (this.#core.wire !== null) this.#ask("rpc.unregister", handler, () => {});
    handler.become("ended", takenAway());
  }

  /**
   * @param {"rpc.register" | "rpc.unregister"} request
   * @param {Handler} handler
   * @param {(error: SwarmwireError | null) => void} done
   */
  #ask(request, handler, done) {
    const message = { type: "call", method: request, params: { methods: [handler.method] } };
    try {
      this.#requests.ask(message, {
        answer: (answer) => {
          done(answer.type === "error" ? errorFrom(answer) : null);
          return true;
        },
        lost: () => {}, // with the connection its registrations are gone
      });
    } catch (error) {
      done(/** @type {SwarmwireError} */ (error));
    }
  }

  // ---- Calls

  /**
   * @param {Dispatch} message
   * @param {Wire} wire
   */
  #begin(message, wire) {
    const { id, method } = message;
    const handler = this.#byMethod.get(method);
    if (handler === undefined) {
      refuse(wire, id, "METHOD_NOT_FOUND", `This client does not handle ${method}.`);
    } else if (!handler.take()) {
      refuse(wire, id, "UNAVAILABLE", "The handler has as many calls as it takes at once.");
    } else {
      const call = new RunningCall(message, wire, this.#core);
      this.#running.set(id, call);
      void call.run(handler.run).then(() => this.#done(handler, id, call));
    }
  }

  /**
   * @param {Handler} handler
   * @param {string | number} id
   * @param {RunningCall} call
   */
  #done(handler, id, call) {
    handler.done();
    // Another broker may have given the same id meanwhile.
    if (this.#running.get(id) === call) this.#running.delete(id);
    this.#tell();
  }

  /** @param {Cancel} message */
  #cancel({ id }) {
    const call = this.#running.get(id);
    this.#running.delete(id);
    call?.cancel();
    this.#tell();
  }

  #cancelAll() {
    const running = this.#running;
    this.#running = new Map();
    for (const call of running.values()) call.cancel();
    this.#tell();
  }

  /**
   * Wait until no call runs, but no longer than this.
   * @param {number} timeoutMs
   * @returns {Promise<void>}
   */
  #idle(timeoutMs) {
    return new Promise((resolve) => {
      const stop = this.#core.clock.after(timeoutMs, resolve);
      this.#whenIdle.add(() => {
        stop();
        resolve();
      });
    });
  }

  #tell() {
    if (this.#running.size > 0) return;
    const callbacks = this.#whenIdle;
    this.#whenIdle = new Set();
    for (const callback of callbacks) callback();
  }
}

/**
 * @param {Wire} wire
 * @param {string | number} id
 * @param {string} code
 * @param {string} message
 */
function refuse(wire, id, code, message) {
  wire.send({ type: "error", id, code, message });
}

function takenAway() {
  return new SwarmwireError("CANCELLED", "The handler was taken away.");
}
