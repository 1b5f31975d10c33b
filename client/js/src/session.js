import { onAbort } from "./abort.js";
import { Heartbeat } from "./heartbeat.js";
import { Incoming } from "./incoming.js";
import { Loss, lossOf } from "./loss.js";
import { decode, encode } from "./protocol/codec.js";
import { parseCursor } from "./protocol/cursor.js";
import { Disconnected, errorFrom, SwarmwireError } from "./protocol/errors.js";
import { selectVersion } from "./protocol/versions.js";
import { ABNORMAL } from "./transports/carrier.js";
import { wireOf } from "./wire.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./protocol/messages.js").Hello} Hello */
/** @typedef {import("./protocol/messages.js").Welcome} Welcome */
/** @typedef {import("./transports/carrier.js").Carrier} Carrier */
/** @typedef {import("./transports/carrier.js").Closed} Closed */
/** @typedef {typeof import("./transports/dial.js").dial} Dial */

const DONE = 1000;
const SILENT = 4409;
const GOODBYE = "The client is done.";

/** One connection from its hello to its end: `open` it, then `run` it until it is lost. */
export class Session {
  #core;
  #heartbeat;
  #incoming;
  /** @type {Carrier | null} */
  #carrier = null;
  /** @type {Welcome | null} */
  #welcome = null;
  /**
   * What the broker said was wrong before any welcome.
   * @type {SwarmwireError | null}
   */
  #refusal = null;
  /** @type {"opening" | "welcomed" | "running" | "leaving" | "over"} */
  #phase = "opening";
  /** @type {Closed | null} */
  #closed = null;
  /** @type {Loss | null} */
  #verdict = null;
  /** @type {(welcome: Welcome) => void} */
  #opened = () => {};
  /** @type {(loss: Loss) => void} */
  #failed = () => {};
  /** @type {(loss: Loss) => void} */
  #ended = () => {};

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
    this.#heartbeat = new Heartbeat(core.clock, {
      ping: () => core.pings.send(),
      dead: (silentMs) => this.#dead(silentMs),
    });
    this.#incoming = new Incoming(core.clock, core.subscriptions, {
      take: (text) => core.receive(text),
      drained: () => {
        if (this.#closed !== null) this.#finish();
      },
    });
  }

  /** How the connection is carried; null before there is one. */
  get kind() {
    return this.#carrier?.kind ?? null;
  }

  /**
   * Connect and introduce ourselves. Rejects with a `Loss`, or with what the transport says.
   * @param {Dial} dial
   * @param {string} url
   * @param {Hello} hello
   * @param {AbortSignal} signal
   * @param {string | null} [broker] the name that the broker must have
   * @returns {Promise<void>}
   */
  async open(dial, url, hello, signal, broker = null) {
    /** @type {Promise<Welcome>} */
    const welcomed = new Promise((resolve, reject) => {
      this.#opened = resolve;
      this.#failed = reject;
    });
    welcomed.catch(() => {}); // also where nobody comes to wait for it
    const forget = onAbort(signal, () => this.#failed(signal.reason));
    try {
      const { WebSocket, fallback } = this.#core.settings;
      this.#carrier = await dial(url, this.#hooks, { WebSocket, fallback, signal });
      signal.throwIfAborted();
      this.#carrier.send(encode(hello));
      check(await welcomed, hello, broker);
      signal.throwIfAborted();
    } catch (fault) {
      this.#phase = "over";
      this.#carrier?.abort();
      throw fault;
    } finally {
      forget();
    }
  }

  /**
   * Live until the connection is lost.
   * @returns {Promise<Loss>} why it was
   */
  run() {
    /** @type {Promise<Loss>} */
    const ended = new Promise((resolve) => {
      this.#ended = resolve;
    });
    this.#phase = "running";
    const welcome = /** @type {Welcome} */ (this.#welcome);
    const carrier = /** @type {Carrier} */ (this.#carrier);
    this.#heartbeat.start(welcome.heartbeat_ms);
    const wire = wireOf(welcome.limits.max_message_bytes, carrier, () => this.#mayWrite());
    this.#core.connected(wire, welcome);
    this.#incoming.open();
    return ended;
  }

  /** Say bye and close; what was sent before still goes out. `run` ends then, with a loss that was meant. */
  leave() {
    if (this.#phase !== "running") return;
    this.#core.wire?.send({ type: "bye", code: DONE, reason: GOODBYE });
    this.#phase = "leaving";
    this.#incoming.close();
    this.#heartbeat.stop();
    this.#carrier?.close(DONE, GOODBYE);
  }

  /** The world around has changed: see whether the connection is still there. */
  probe() {
    if (this.#phase === "running") this.#heartbeat.probe();
  }

  // ---- What the transport says

  /** @type {import("./transports/carrier.js").Hooks} */
  #hooks = {
    onMessage: (text) => this.#heard(text),
    onClose: (closed) => {
      this.#closed = closed;
      if (this.#phase === "opening") this.#failed(this.#unwelcome(closed));
      else if (this.#phase === "leaving") this.#finish();
      else this.#incoming.drain(); // what came before the end is taken before the end
    },
  };

  /** @param {string} text */
  #heard(text) {
    this.#heartbeat.heard();
    if (this.#phase === "opening") this.#introduced(text);
    else if (this.#phase !== "leaving" && this.#phase !== "over") this.#incoming.put(text);
  }

  /** @param {string} text */
  #introduced(text) {
    const message = this.#decoded(text);
    if (message === null) return;
    if (message.type === "error") this.#refusal = errorFrom(message);
    else if (message.type === "bye") this.#failed(this.#unwelcome(null, message));
    else if (message.type === "welcome") {
      this.#welcome = message;
      this.#phase = "welcomed";
      this.#opened(message);
    }
  }

  /** @param {string} text */
  #decoded(text) {
    try {
      return decode(text);
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      this.#failed(new Loss(new Disconnected(`The other side is no Swarmwire broker: ${what}`, { cause })));
      return null;
    }
  }

  #mayWrite() {
    this.#heartbeat.spoke();
    return this.#phase === "running";
  }

  // ---- The end

  /** @param {number} silentMs */
  #dead(silentMs) {
    const sentence = `Nothing was heard of the broker for ${Math.round(silentMs)} ms.`;
    const error = new SwarmwireError("HEARTBEAT_TIMEOUT", sentence);
    this.#verdict = new Loss(error, { code: SILENT, reason: sentence });
    this.#closed = { code: ABNORMAL, reason: "", clean: false };
    this.#finish();
    this.#carrier?.abort();
  }

  #finish() {
    if (this.#phase === "over") return;
    const left = this.#phase === "leaving";
    this.#phase = "over";
    this.#incoming.close();
    this.#heartbeat.stop();
    const loss = this.#verdict ?? (left ? new Loss(new Disconnected(GOODBYE), { code: DONE }) : this.#loss());
    this.#core.lost(loss.error);
    this.#ended(loss);
  }

  #loss() {
    const { bye, closingError: error } = this.#core;
    const { code, reason } = /** @type {Closed} */ (this.#closed);
    if (bye === null) return lossOf(code, reason, { error });
    return lossOf(bye.code, bye.reason ?? "", { meant: true, error, afterMs: bye.reconnect_after_ms });
  }

  /**
   * @param {Closed | null} closed
   * @param {import("./protocol/messages.js").Bye} [bye]
   */
  #unwelcome(closed, bye) {
    const error = this.#refusal;
    if (bye !== undefined) {
      return lossOf(bye.code, bye.reason ?? "", { meant: true, error, afterMs: bye.reconnect_after_ms });
    }
    return lossOf(closed?.code ?? ABNORMAL, closed?.reason ?? "", { error });
  }
}

/**
 * @param {Welcome} welcome
 * @param {Hello} hello
 * @param {string | null} broker
 */
function check(welcome, hello, broker) {
  if (selectVersion([welcome.version], hello.versions) === null) {
    const sentence = `Offered ${hello.versions.join(", ")}; the broker chose ${welcome.version}.`;
    throw new Loss(new SwarmwireError("UNSUPPORTED_VERSION", sentence));
  }
  parseCursor(welcome.cursor);
  const { name } = welcome.server;
  if (broker !== null && broker !== name) {
    throw new Disconnected(`The broker there is called ${name}, not ${broker}.`);
  }
}
