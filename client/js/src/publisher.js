import { disconnected } from "./core.js";
import { encode } from "./protocol/codec.js";
import { checkTopic } from "./protocol/topics.js";
import { checkNames } from "./options.js";
import { Outgoing } from "./outgoing.js";
import { checkPatience, patienceOf, watchPatience } from "./patience.js";
import { PendingPublish } from "./pendingpublish.js";
import { randomHex } from "./randomhex.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./patience.js").Wait} Wait */
/** @typedef {import("./pendingpublish.js").Published} Published */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */
/** @typedef {import("./requests.js").Requests} Requests */

/**
 * How an event is published.
 * @typedef {object} PublishOptions
 * @property {string} [key] by which the broker knows a repeat; without one of yours it gets one
 * @property {Record<string, string>} [headers] carried to subscribers
 * @property {boolean} [echo] false: not to this client's own subscriptions
 * @property {boolean} [ephemeral] live only: it has no place in the log
 * @property {boolean} [clear] takes the topic out of the table of last events
 * @property {boolean} [ack] false: it is sent at most once, and nobody learns what became of it
 * @property {number | null} [timeoutMs] how long its caller waits; by default without a limit
 * @property {AbortSignal} [signal] gives it up
 */

const OPTIONS = ["key", "headers", "echo", "ephemeral", "clear", "ack", "timeoutMs", "signal"];
const KEY_BYTES = 8;

/** Publishes events: each gets its id and its key, and its caller waits for what becomes of it. */
export class Publisher {
  #core;
  #outgoing;
  /** Its keys are unique over all clients everywhere. */
  #prefix = randomHex(KEY_BYTES);
  #keys = 0;

  /**
   * @param {Core} core
   * @param {Requests} requests
   */
  constructor(core, requests) {
    this.#core = core;
    this.#outgoing = new Outgoing(core.clock, core.settings);
    requests.also((message) => this.#outgoing.settle(message));
    core.onWelcome((wire, welcome) => this.#outgoing.connected(wire, welcome));
    core.onLoss(() => this.#outgoing.lost());
    core.onEnd((error) => this.#outgoing.end(error ?? disconnected()));
  }

  /**
   * Publish an event; returns its place in the log, or null without `ack`.
   *
   * Without a connection it waits in the offline queue. After a lost connection, and after a refusal that
   * passes, it is sent again with the same key. What has failed is never sent later.
   * @param {string} topic
   * @param {unknown} data
   * @param {PublishOptions} [options]
   * @returns {Promise<Published | null>}
   * @throws {SwarmwireError} what the broker answered; QueueFull; Disconnected; INVALID_TOPIC;
   *   INVALID_MESSAGE; MESSAGE_TOO_LARGE; TIMEOUT; OUTCOME_UNKNOWN after a loss so long that the broker may
   *   not know the repeat
   */
  async publish(topic, data, options = {}) {
    checkTopic(topic);
    checkNames(options, OPTIONS);
    const { headers, echo, ephemeral, clear, ack = true, timeoutMs, signal } = options;
    const wait = { what: "publish", ms: patienceOf(timeoutMs, Infinity), signal };
    checkPatience(wait);
    // An ephemeral event has no place in the log that a repeat could be known by.
    const key = options.key ?? (ack && !ephemeral ? this.#newKey() : undefined);
    const id = ack ? this.#core.nextId() : undefined;
    return this.#send({ type: "publish", id, topic, data, key, headers, echo, ephemeral, clear }, wait);
  }

  /**
   * Wait until everything published is done, but no longer than this.
   * @param {number} timeoutMs
   * @returns {Promise<void>}
   */
  drain(timeoutMs) {
    return new Promise((resolve) => {
      const stop = this.#core.clock.after(timeoutMs, () => {
        forget();
        resolve();
      });
      const forget = this.#outgoing.whenEmpty(() => {
        stop();
        resolve();
      });
    });
  }

  /**
   * @param {import("./protocol/messages.js").Publish & { id?: number }} message
   * @param {Wait} wait
   * @returns {Promise<Published | null>}
   */
  #send(message, wait) {
    const { clock } = this.#core;
    const { id = null, key = null } = message;
    // Made now: what the caller does to the data later is not what was published.
    const text = encode(message);
    const deadline = clock.now() + wait.ms;
    return new Promise((resolve, reject) => {
      const publish = new PendingPublish({ text, id, key, deadline, resolve, reject });
      this.#outgoing.add(publish);
      if (publish.settled) return;
      publish.release = watchPatience(clock, wait, (error) => {
        this.#outgoing.forget(publish);
        publish.fail(error);
      });
    });
  }

  #newKey() {
    this.#keys += 1;
    return `${this.#prefix}:${this.#keys}`;
  }
}
