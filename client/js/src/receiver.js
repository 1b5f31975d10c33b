import { decode } from "./protocol/codec.js";
import { ERRORS, errorFrom, SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./protocol/messages.js").BrokerMessage} BrokerMessage */
/** @typedef {import("./protocol/messages.js").ErrorMessage} ErrorMessage */

/**
 * Who takes the messages that are for requests and for handlers of calls.
 * @typedef {object} Parts
 * @property {{ settle: (message: any) => boolean }} requests
 * @property {{ take: (message: any) => void }} handlers
 */

/** Brings each message of the broker to where it belongs. */
export class Receiver {
  /** @type {Parts | null} */
  parts = null;
  #core;

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
  }

  /**
   * Take one message. What cannot be understood is reported; types that came later are passed over.
   * @param {string} text
   */
  receive(text) {
    try {
      this.#take(decode(text), text.length);
    } catch (error) {
      if (!isOfLaterType(error, text)) this.#core.report(error);
    }
  }

  /**
   * @param {BrokerMessage} message
   * @param {number} size
   */
  #take(message, size) {
    const { direct, pings, subscriptions } = this.#core;
    switch (message.type) {
      case "event":
        if (message.direct) direct.take(message);
        else subscriptions.takeEvent(message, size);
        break;
      case "live":
        subscriptions.takeLive(message);
        break;
      case "position":
        subscriptions.takePosition(message);
        break;
      case "gap":
        subscriptions.takeGap(message);
        break;
      case "ack":
      case "reply":
        this.#settle(message);
        break;
      case "error":
        if (message.id === undefined) this.#takeError(message);
        else this.#settle(message);
        break;
      case "call":
      case "cancel":
        this.parts?.handlers.take(message);
        break;
      case "ping":
        this.#core.wire?.send({ type: "pong", ts: message.ts });
        break;
      case "pong":
        pings.take(message);
        break;
      case "bye":
        this.#core.bye = message;
        break;
      case "welcome": // it comes once, and was taken before this
        break;
    }
  }

  /**
   * @param {import("./protocol/messages.js").Ack | import("./protocol/messages.js").Reply | ErrorMessage}
   *   message
   */
  #settle(message) {
    if (!this.#core.subscriptions.settle(message)) this.parts?.requests.settle(message);
  }

  /** @param {ErrorMessage} message */
  #takeError(message) {
    const error = errorFrom(message);
    // A bye follows then, and tells the users.
    if (closes(error.code)) this.#core.closingError = error;
    else this.#core.report(error);
  }
}

/** @param {string} code */
function closes(code) {
  /** @type {Readonly<Record<string, { close: number | null }>>} */
  const known = ERRORS;
  return Object.hasOwn(known, code) && known[code].close !== null;
}

/**
 * Whether the message is of a type that a later version of the protocol brought.
 * @param {unknown} error
 * @param {string} text
 */
function isOfLaterType(error, text) {
  if (!(error instanceof SwarmwireError) || error.field !== "type") return false;
  return typeof JSON.parse(text).type === "string";
}
