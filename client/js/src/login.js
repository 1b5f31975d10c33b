import { Backoff } from "./backoff.js";
import { Loss } from "./loss.js";
import { Disconnected } from "./protocol/errors.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./requests.js").Requests} Requests */

/**
 * A token is renewed so long before it expires, in milliseconds; a short one in the last quarter of its time.
 */
const MARGIN_MS = 60_000;
const SHORTEST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/** The login of a client: where its tokens come from, and their renewal on the live connection. */
export class Login {
  #core;
  #requests;
  #token;
  #backoff;
  #stop = () => {};

  /**
   * @param {Core} core
   * @param {Requests} requests
   * @param {() => number} [draw]
   */
  constructor(core, requests, draw) {
    this.#core = core;
    this.#requests = requests;
    this.#token = core.settings.token;
    this.#backoff = new Backoff(SHORTEST_RETRY_MS, LONGEST_RETRY_MS, draw);
    core.onWelcome((_, { identity }) => this.#welcomed(identity.expires_at));
    core.onLoss(() => this.#stop());
    core.onEnd(() => this.#stop());
  }

  /** Whether another token can be had. */
  get renewable() {
    return typeof this.#token === "function";
  }

  /**
   * The token for the next hello.
   * @returns {Promise<string | undefined>}
   */
  async token() {
    if (typeof this.#token !== "function") return this.#token ?? undefined;
    try {
      return await this.#token();
    } catch (cause) {
      // Where tokens come from may be down as a broker may be; nothing of its words, which may hold secrets.
      const what = cause instanceof Error ? cause.name : typeof cause;
      throw new Loss(new Disconnected(`Fetching a token failed with ${what}.`));
    }
  }

  /**
   * Renew the login on the live connection. Later connections use the token too, unless a function gives
   * theirs.
   * @param {string} token
   */
  async authenticate(token) {
    await this.#requests.request({ type: "auth", token });
    if (!this.renewable) this.#token = token;
    this.#renewed(token);
  }

  /** @param {number | undefined} expiresAt */
  #welcomed(expiresAt) {
    this.#backoff.reset();
    this.#plan(expiresAt);
  }

  /**
   * The broker took the token; when that expires it does not say.
   * @param {string} token
   */
  #renewed(token) {
    const { welcome } = this.#core;
    if (welcome === null) return;
    const identity = { ...welcome.identity, expires_at: expiryOf(token) };
    this.#core.welcome = { ...welcome, identity };
    this.#core.emit("authenticated", identity);
    this.#plan(identity.expires_at);
  }

  /** @param {number | undefined} expiresAt */
  #plan(expiresAt) {
    this.#stop();
    if (!this.renewable || expiresAt === undefined) return;
    const left = expiresAt - this.#core.clock.date();
    if (left > 0) this.#backoff.reset();
    // One that is over before it began, as it is by a clock that is wrong, must not be renewed without a
    // pause.
    const wait = left > 0 ? left - Math.min(MARGIN_MS, left / 4) : this.#backoff.next();
    this.#stop = this.#core.clock.after(wait, () => void this.#renew());
  }

  async #renew() {
    const { wire } = this.#core;
    try {
      const token = await this.token();
      if (this.#core.wire !== wire || token === undefined) return;
      await this.#requests.request({ type: "auth", token });
      if (this.#core.wire === wire) this.#renewed(token);
    } catch (fault) {
      if (this.#core.wire !== wire) return; // the next hello fetches one
      this.#core.report(fault instanceof Loss ? fault.error : fault);
      this.#stop = this.#core.clock.after(this.#backoff.next(), () => void this.#renew());
    }
  }
}

/**
 * When a token expires, in milliseconds since 1970, where it says so: in the claims of a JWT.
 * @param {string} token
 * @returns {number | undefined}
 */
function expiryOf(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return typeof claims.exp === "number" ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
