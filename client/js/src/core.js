import { clock } from "./clock.js";
import { Direct } from "./direct.js";
import { Emitter } from "./emitter.js";
import { Pings } from "./pings.js";
import { parseCursor } from "./protocol/cursor.js";
import { Disconnected } from "./protocol/errors.js";
import { randomHex } from "./randomhex.js";
import { Receiver } from "./receiver.js";
import { Subscriptions } from "./subscriptions.js";

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./emitter.js").ClientEvents} ClientEvents */
/** @typedef {import("./options.js").Settings} Settings */
/** @typedef {import("./protocol/messages.js").ClientMessage} ClientMessage */
/** @typedef {import("./protocol/messages.js").Welcome} Welcome */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */

/**
 * The way to the broker between a welcome and the next loss. What is sent after the loss is silently nothing.
 * @typedef {object} Wire
 * @property {(message: ClientMessage) => void} send encodes and sends; MESSAGE_TOO_LARGE where the broker
 *   would close
 * @property {(text: string) => void} write sends what is encoded already
 * @property {number} buffered bytes, about, that wait to be written
 */

/**
 * Where a client stands: its first connection is on its way; it is connected; it comes back after a loss; it
 * was disconnected by intent; it has ended for an error.
 * @typedef {"connecting" | "ready" | "reconnecting" | "closed" | "failed"} State
 */

/**
 * What outlives a connection: what a client is, and who is told of its connections. It reads and writes
 * nothing.
 */
export class Core {
  /** @type {Wire | null} */
  wire = null;
  /**
   * The last one, also after its connection was lost.
   * @type {Welcome | null}
   */
  welcome = null;
  /** The epoch of the broker's log at the last welcome. */
  epoch = "";
  /** @type {State} */
  state = "connecting";
  /** Whether there will be no connection any more. */
  ended = false;
  /**
   * Why; null where it was meant.
   * @type {SwarmwireError | null}
   */
  error = null;
  /** @type {import("./protocol/messages.js").Bye | null} */
  bye = null;
  /**
   * What the broker said was wrong before it closed.
   * @type {SwarmwireError | null}
   */
  closingError = null;
  /** 128 random bits that are kept over reconnects. */
  instance = randomHex(16);
  #ids = 0;
  #receiver;
  /** @type {((wire: Wire, welcome: Welcome) => void)[]} */
  #atWelcome = [];
  /** @type {((error: SwarmwireError) => void)[]} */
  #atLoss = [];
  /** @type {((error: SwarmwireError | null) => void)[]} */
  #atEnd = [];

  /**
   * @param {Settings} settings
   * @param {Clock} [time]
   */
  constructor(settings, time = clock) {
    this.settings = settings;
    this.clock = time;
    this.emitter = new Emitter();
    this.subscriptions = new Subscriptions(this);
    this.direct = new Direct(this.emitter, settings.queueSize);
    this.pings = new Pings(this);
    this.#receiver = new Receiver(this);
  }

  /**
   * Say who takes the messages for requests and for handlers.
   * @param {import("./receiver.js").Parts} parts
   */
  attach(parts) {
    this.#receiver.parts = parts;
  }

  /** The id of one more request. */
  nextId() {
    this.#ids += 1;
    return this.#ids;
  }

  // ---- The life of a connection

  /**
   * Call this after each welcome, once the subscriptions were asked for again.
   * @param {(wire: Wire, welcome: Welcome) => void} callback
   */
  onWelcome(callback) {
    this.#atWelcome.push(callback);
  }

  /**
   * Call this when a connection is lost.
   * @param {(error: SwarmwireError) => void} callback
   */
  onLoss(callback) {
    this.#atLoss.push(callback);
  }

  /**
   * Call this when there will be no connection any more; with null where that was meant.
   * @param {(error: SwarmwireError | null) => void} callback
   */
  onEnd(callback) {
    this.#atEnd.push(callback);
  }

  /**
   * The broker said welcome: ask and publish again what is due, and tell the users.
   * @param {Wire} wire
   * @param {Welcome} welcome
   */
  connected(wire, welcome) {
    const again = this.welcome !== null;
    this.welcome = welcome;
    this.epoch = parseCursor(welcome.cursor).epoch;
    this.wire = wire;
    this.bye = this.closingError = null;
    let asked = false;
    let answered = false;
    const resumed = () => {
      answered = true;
      if (asked && again) this.emit("resumed", undefined);
    };
    this.subscriptions.connected(resumed);
    for (const callback of this.#atWelcome) this.#guarded(() => callback(wire, welcome));
    this.enter("ready");
    this.emit("connected", { id: welcome.client_id });
    this.emit("authenticated", welcome.identity);
    asked = true;
    if (answered) resumed();
  }

  /**
   * The connection is gone: requests fail; subscriptions and publishes wait for the next.
   * @param {SwarmwireError} error
   */
  lost(error) {
    this.wire = null;
    this.subscriptions.lost();
    this.pings.lost();
    for (const callback of this.#atLoss) this.#guarded(() => callback(error));
  }

  /**
   * There will be no connection any more: by intent (null), or because of the error. Harmless twice.
   * @param {SwarmwireError | null} error
   */
  end(error) {
    if (this.ended) return;
    this.ended = true;
    this.error = error;
    this.subscriptions.end(error);
    this.direct.clear();
    for (const callback of this.#atEnd) this.#guarded(() => callback(error));
    this.enter(error === null ? "closed" : "failed");
  }

  /**
   * The one place where the state changes.
   * @param {State} state
   */
  enter(state) {
    if (this.state === state) return;
    this.state = state;
    this.emit("state", { state, error: this.error });
  }

  /** @throws {SwarmwireError} why there is no connection any more */
  checkOpen() {
    if (this.ended) throw this.error ?? disconnected();
  }

  // ---- What users hear

  /**
   * @template {keyof ClientEvents} K
   * @param {K} name
   * @param {ClientEvents[K]} detail
   */
  emit(name, detail) {
    this.emitter.emit(name, detail);
  }

  /**
   * Something failed that no caller waits for.
   * @param {unknown} error
   */
  report(error) {
    this.emitter.report(error);
  }

  /**
   * Take one message of the broker.
   * @param {string} text
   */
  receive(text) {
    this.#receiver.receive(text);
  }

  /** @param {() => void} step */
  #guarded(step) {
    try {
      step();
    } catch (error) {
      this.report(error);
    }
  }
}

/** The error of who asks for something after the end that was meant. */
export function disconnected() {
  return new Disconnected("The client was disconnected.");
}
