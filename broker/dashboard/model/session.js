/** The page's connection to the broker, and the word that says where it stands. */

import { failureOf } from "./poll.js";

/** @typedef {import("./slices.js").Phase} Phase */
/** @typedef {import("./slices.js").Problem} Problem */
/** @typedef {import("../../sdk/client.js").Client} Client */
/** @typedef {(url: string, options: import("../../sdk/options.js").ConnectOptions) => Client} MakeClient */

/** Codes that another token answers. */
const LOGINS = new Set(["AUTHENTICATION_FAILED", "TOKEN_EXPIRED", "NOT_AUTHENTICATED"]);
/** Whoever looks at the page is waiting: a broker that is back is found sooner than a program would need. */
const MAX_DELAY_MS = 5000;
/** Events that may wait: a tick of the conflated stream comes all at once. */
const QUEUE = 20000;

export class Session {
  /** @type {Phase} */
  phase = "login";
  attempt = 0;
  /** @type {number|null} */
  retryAtMs = null;
  /** @type {Problem|null} */
  error = null;
  /** @type {Client|null} */
  client = null;
  /** Rises with every change. */
  revision = 0;
  #make;
  #hooks;
  #date;
  #hasToken = false;

  /**
   * @param {MakeClient} make
   * @param {{connected(client: Client): void, lost(): void, ended(): void}} hooks  `lost` is followed by
   *   `connected` or `ended`
   * @param {{date: () => number}} clock
   */
  constructor(make, hooks, { date }) {
    this.#make = make;
    this.#hooks = hooks;
    this.#date = date;
  }

  /** @param {string} url @param {string|null} token */
  connect(url, token) {
    this.#leave();
    this.#hasToken = token !== null;
    this.#enter("connecting", { error: null });
    try {
      this.client = this.#make(url, {
        token,
        name: "dashboard",
        kind: "dashboard",
        retryFirst: true,
        maxDelayMs: MAX_DELAY_MS,
        queueSize: QUEUE,
      });
    } catch (fault) {
      this.#enter("refused", { error: failureOf(fault) });
      return;
    }
    this.#follow(this.client);
    // What becomes of it is told by its events.
    this.client.start().catch(() => {});
  }

  logout() {
    this.#leave();
    this.#enter("login", { error: null });
  }

  /** Something that the page needs is refused, though there is a connection. @param {unknown} fault */
  complain(fault) {
    this.#enter(this.phase, { error: failureOf(fault) });
  }

  /** @param {Client} client */
  #follow(client) {
    const present = () => this.client === client;
    client.listen("connected", () => {
      if (!present()) return;
      this.#enter("ready", { error: null });
      this.#hooks.connected(client);
    });
    client.listen("disconnected", () => {
      if (!present()) return;
      this.#enter("reconnecting", {});
      this.#hooks.lost();
    });
    client.listen("reconnecting", ({ attempt, delayMs, error }) => {
      if (!present()) return;
      this.#enter("reconnecting", { attempt, retryAtMs: this.#date() + delayMs, error: failureOf(error) });
    });
    client.listen("state", ({ state, error }) => {
      if (present() && (state === "failed" || state === "closed")) this.#end(error);
    });
    // What is asked on behalf of the page is told to the page; there is nobody else.
    client.listen("error", () => {});
  }

  /** @param {unknown} fault */
  #end(fault) {
    this.client = null;
    this.#hooks.ended();
    if (fault === null) return this.#enter("closed", { error: null });
    const error = failureOf(fault);
    if (!LOGINS.has(error.code)) return this.#enter("refused", { error });
    // Who has not tried a token yet has made no mistake.
    return this.#enter("login", { error: this.#hasToken ? error : null });
  }

  #leave() {
    const { client } = this;
    if (client === null) return;
    this.client = null;
    this.#hooks.ended();
    void client.disconnect();
  }

  /** @param {Phase} phase @param {{attempt?: number, retryAtMs?: number|null, error?: Problem|null}} state */
  #enter(phase, { attempt = 0, retryAtMs = null, error = this.error }) {
    this.phase = phase;
    this.attempt = attempt;
    this.retryAtMs = retryAtMs;
    this.error = error;
    this.revision += 1;
  }
}
