// The login of this browser tab: its token outlives a reload of the page, and nothing else. One that the broker has
// not taken is kept nowhere.

const KEPT_AS = "swarmwire.token";

/** @typedef {Pick<import("./feed.js").Feed, "connect" | "logout">} LoginFeed */

/** Who looks at the dashboard. */
export class Session {
  #storage;
  #feed;
  /** @type {string | null} a token that is tried */
  #tried = null;

  /**
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage
   * @param {LoginFeed} feed
   */
  constructor(storage, feed) {
    this.#storage = storage;
    this.#feed = feed;
  }

  /** Whether there is a token to be forgotten. */
  get hasToken() {
    return this.#token !== null;
  }

  get #token() {
    return this.#tried ?? this.#storage.getItem(KEPT_AS);
  }

  /** Connects with the token that is kept, or without one: a broker may ask for none. */
  resume() {
    this.#feed.connect({ token: this.#token });
  }

  /** @param {string} token */
  login(token) {
    this.#tried = token;
    this.resume();
  }

  /** The broker has taken the token: it is kept. */
  keep() {
    if (this.#tried !== null) this.#storage.setItem(KEPT_AS, this.#tried);
    this.#tried = null;
  }

  /** Forgets the token and leaves. */
  logout() {
    this.forget();
    this.#feed.logout();
  }

  /** Forgets the token, so that a reload does not try it again. */
  forget() {
    this.#tried = null;
    this.#storage.removeItem(KEPT_AS);
  }
}
