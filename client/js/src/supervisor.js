import { onAbort } from "./abort.js";
import { Backoff } from "./backoff.js";
import { disconnected } from "./core.js";
import { failureOf, Loss } from "./loss.js";
import { Pause } from "./pause.js";
import { Disconnected } from "./protocol/errors.js";
import { Reach } from "./reach.js";
import { isNearby, shownUrl } from "./transports/url.js";
import { VERSION } from "./version.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./login.js").Login} Login */
/** @typedef {import("./presence.js").Presence} Presence */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */
/** @typedef {import("./session.js").Dial} Dial */
/** @typedef {import("./session.js").Session} Session */

/**
 * What a client stands on.
 * @typedef {object} Ground
 * @property {Dial} dial
 * @property {Presence} presence
 * @property {() => number} [draw]
 */

/**
 * Keeps a client connected: one connection after the other, with the waits between, until there is no point.
 */
export class Supervisor {
  #core;
  #login;
  #presence;
  #reach;
  #backoff;
  #pause;
  /** @type {Session | null} */
  #session = null;
  #attempt = new AbortController();
  #leaving = false;
  #welcomed = false;
  /** Whether the last connection had a welcome. */
  #lived = false;
  #renewed = false;
  /** Whether the wait under way is one that the broker asked for. */
  #told = false;
  #first = () => {};

  /**
   * @param {Core} core
   * @param {Login} login
   * @param {Ground} ground
   */
  constructor(core, login, ground) {
    this.#core = core;
    this.#login = login;
    this.#presence = ground.presence;
    this.#reach = new Reach(core, ground.dial);
    this.#backoff = new Backoff(core.settings.baseDelayMs, core.settings.maxDelayMs, ground.draw);
    this.#pause = new Pause(core.clock);
    /**
     * Resolved at the first welcome; if there is none, `run` ends first.
     * @type {Promise<void>}
     */
    this.first = new Promise((resolve) => (this.#first = resolve));
  }

  /** Where the last connection went; null before there was one. */
  get place() {
    return this.#reach.place;
  }

  /** How the present connection is carried; null while there is none. */
  get kind() {
    return this.#session?.kind ?? null;
  }

  /**
   * Connect and stay connected; returns why that ended, null if by intent.
   * @returns {Promise<SwarmwireError | null>}
   */
  async run() {
    this.#presence.watch(() => this.#worldChanged());
    try {
      for (;;) {
        const loss = await this.#live();
        if (this.#leaving) return null;
        const delayMs = this.#delay(loss);
        if (delayMs === null) return this.#verdict(loss);
        if (this.#welcomed) this.#core.enter("reconnecting");
        this.#core.emit("reconnecting", { attempt: this.#backoff.attempt, delayMs, error: loss.error });
        await this.#wait(delayMs, loss.afterMs !== undefined);
        if (this.#leaving) return null;
      }
    } finally {
      this.#presence.close();
    }
  }

  /** Close politely; no other connection follows. */
  leave() {
    this.#leaving = true;
    this.#attempt.abort(new Loss(disconnected()));
    this.#pause.cut();
    this.#session?.leave();
  }

  // ---- One connection

  /** @returns {Promise<Loss>} */
  async #live() {
    this.#lived = false;
    try {
      this.#session = await this.#opened();
    } catch (fault) {
      return failureOf(fault);
    }
    this.#backoff.reset();
    this.#welcomed = this.#lived = true;
    this.#renewed = false;
    const ended = this.#session.run();
    this.#first();
    if (this.#leaving) this.#session.leave();
    const loss = await ended;
    this.#session = null;
    this.#core.emit("disconnected", { code: loss.code, reason: loss.reason });
    return loss;
  }

  async #opened() {
    const attempt = (this.#attempt = new AbortController());
    const { connectTimeoutMs } = this.#core.settings;
    const late = () => attempt.abort(new Loss(new Disconnected(this.#noWelcome(connectTimeoutMs))));
    const stop = this.#core.clock.after(connectTimeoutMs, late);
    try {
      const token = await unlessAborted(this.#login.token(), attempt.signal);
      return await this.#reach.session(this.#hello(token), attempt.signal);
    } finally {
      stop();
    }
  }

  /**
   * @param {string | undefined} token
   * @returns {import("./protocol/messages.js").Hello}
   */
  #hello(token) {
    const { name, kind, metadata, versions } = this.#core.settings;
    const pid = globalThis.process?.pid;
    const client = { name, version: VERSION, instance: this.#core.instance, pid, kind };
    return { type: "hello", versions, client, token, metadata };
  }

  /** @param {number} ms */
  #noWelcome(ms) {
    const where = this.place === null ? "the broker" : shownUrl(this.place);
    return `No welcome came from ${where} within ${ms} ms.`;
  }

  // ---- What follows

  /**
   * The milliseconds until the next attempt; null if there is none.
   * @param {Loss} loss
   */
  #delay(loss) {
    const { reconnect, retryFirst, maxAttempts } = this.#core.settings;
    if (loss.ofLogin && this.#mayRenew()) {
      this.#renewed = true;
      const delayMs = this.#backoff.next();
      return this.#lived ? delayMs : 0; // a token that is taken and expires at once must not spin
    }
    const retries = this.#welcomed ? reconnect : retryFirst;
    if (loss.final || !retries || this.#backoff.attempt >= maxAttempts) return null;
    const delayMs = this.#backoff.next();
    return loss.afterMs ?? delayMs;
  }

  /** Whether a fresh token is worth one attempt: two refusals in a row are final. */
  #mayRenew() {
    const { reconnect } = this.#core.settings;
    return this.#login.renewable && !this.#renewed && (reconnect || !this.#welcomed);
  }

  /**
   * @param {Loss} loss
   * @returns {SwarmwireError}
   */
  #verdict({ final, error }) {
    const attempts = this.#backoff.attempt;
    if (final || attempts === 0) return error;
    const sentence = `Gave up after ${attempts} attempts to connect: ${error.message}`;
    return new Disconnected(sentence, { cause: error });
  }

  /**
   * @param {number} delayMs
   * @param {boolean} told whether the broker asked for it, so that coming sooner is in vain
   */
  async #wait(delayMs, told) {
    this.#told = told;
    await this.#pause.wait(delayMs);
    this.#told = false;
    while (this.#isOffline() && !this.#leaving) await this.#pause.wait(Infinity);
  }

  #isOffline() {
    return !this.#presence.online && this.place !== null && !isNearby(this.place);
  }

  #worldChanged() {
    if (this.#session !== null) this.#session.probe();
    else if (!this.#told && !this.#isOffline()) this.#pause.cut();
  }
}

/**
 * @template T
 * @param {Promise<T>} work
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function unlessAborted(work, signal) {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    void work.then(resolve, reject).finally(forget);
  });
}
