// The page as a whole: which view is shown, what it wants of the worker, and one drawing a frame.

import { loginPage } from "./login.js";
import { shell } from "./shell.js";
import { render } from "./template.js";

/** @typedef {import("./context.js").View} View */
/** @typedef {import("./model/slices.js").StatusSlice} StatusSlice */
/** @typedef {Partial<StatusSlice> & Pick<StatusSlice, "phase">} Status all but the phase comes later */

/** @typedef {Pick<import("./feed.js").Feed, "want" | "on">} SliceFeed */
/** @typedef {import("./model/slices.js").SliceName} SliceName */

/** Times that are told ("3 s ago") go on though nothing comes. */
const REDRAW_MS = 1000;

/** The dashboard in one element of the page. */
export class App {
  #root;
  #feed;
  #session;
  #theme;
  /** @type {View[]} */
  #views = [];
  /** @type {View | undefined} */
  #view;
  /** @type {Record<string, any>} */
  #slices = {};
  /** @type {Map<SliceName, () => void>} wanted slices, and what ends the listening to each */
  #listening = new Map();
  #isDue = false;

  /**
   * @param {{
   *   root: HTMLElement,
   *   feed: SliceFeed,
   *   session: import("./session.js").Session,
   *   theme: import("./theme.js").Theme,
   * }} given
   */
  constructor({ root, feed, session, theme }) {
    this.#root = root;
    this.#feed = feed;
    this.#session = session;
    this.#theme = theme;
  }

  /** @returns {Status | undefined} */
  get status() {
    return this.#slices.status;
  }

  /** @param {View[]} views the first is shown where the address names none */
  start(views) {
    this.#views = views;
    this.#theme.on(() => this.#draw());
    addEventListener("hashchange", () => this.#route());
    setInterval(() => this.#draw(), REDRAW_MS);
    this.#route();
    this.#session.resume();
  }

  /** The view's state is another: asks for what it wants now, and draws. */
  changed() {
    /** @type {import("./context.js").Wants} */
    const wants = { status: {}, ...this.#view?.wants() };
    for (const name of [...this.#listening.keys()].filter((name) => !(name in wants))) this.#leave(name);
    for (const [name, query] of /** @type {[SliceName, any][]} */ (Object.entries(wants))) {
      if (!this.#listening.has(name))
        this.#listening.set(
          name,
          this.#feed.on(name, (slice) => this.#take(name, slice)),
        );
      this.#feed.want(name, query);
    }
    this.#draw();
  }

  #route() {
    const [name, query = ""] = splitOnce(location.hash.slice(1), "?");
    const view = this.#views.find((candidate) => candidate.name === name) ?? this.#views[0];
    if (view !== this.#view) {
      this.#view?.closed?.();
      this.#view = view;
      document.getElementById("content")?.scrollTo(0, 0);
    }
    view?.opened?.(new URLSearchParams(query));
    this.changed();
  }

  /** @param {SliceName} name */
  #leave(name) {
    this.#feed.want(name, null);
    this.#listening.get(name)?.();
    this.#listening.delete(name);
    delete this.#slices[name];
  }

  /**
   * @param {SliceName} name
   * @param {unknown} slice
   */
  #take(name, slice) {
    const before = this.status?.phase;
    this.#slices[name] = slice;
    if (name === "status" && this.status?.phase !== before) this.#enter(this.status);
    this.#draw();
  }

  /** A token that was refused is not tried again at a reload. @param {Status | undefined} status */
  #enter(status) {
    if (status?.phase === "ready") this.#session.keep();
    if (status?.phase === "login" && status.error) this.#session.forget();
  }

  #draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#paint();
    });
  }

  #paint() {
    /** @type {Status} */
    const status = this.status ?? { phase: "connecting" };
    const view = this.#view;
    if (view === undefined) return;
    const name = status.server?.name ?? "Swarmwire";
    const isOut = status.phase === "login" || status.phase === "refused" || status.phase === "closed";
    document.title = isOut ? name : `${view.title} · ${name}`;
    render(isOut ? this.#login(status) : this.#page(status, view), this.#root);
  }

  /** @param {Status} status */
  #login(status) {
    return loginPage({
      status,
      login: (token) => this.#session.login(token),
      again: () => this.#session.resume(),
    });
  }

  /**
   * @param {Status} status
   * @param {View} view
   */
  #page(status, view) {
    return shell({
      status,
      views: this.#views,
      view,
      content: view.draw(this.#slices),
      theme: this.#theme,
      logout: this.#session.hasToken ? () => this.#session.logout() : null,
    });
  }
}

/**
 * @param {string} text
 * @param {string} separator
 */
function splitOnce(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
