// What is typed above the tail: a pattern, and where to jump to. Each is judged before anybody is asked.

import { cursorOf, parseCursor } from "../../sdk/protocol/cursor.js";
import { checkPattern } from "../../sdk/protocol/topics.js";
import { ICONS } from "../parts/icons.js";
import { html, live, nothing } from "../template.js";

/** While somebody types, the worker is not asked for every letter. */
const SETTLE_MS = 250;

const BARE_SEQ = /^\d+$/;

/** The box with the pattern; `valid` is the last one that was well formed. */
export class TailPattern {
  #changed;
  #text = "#";
  #valid = "#";
  #fault = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;

  /** @param {() => void} changed another pattern is valid, or the fault is another */
  constructor(changed) {
    this.#changed = changed;
  }

  get valid() {
    return this.#valid;
  }

  /** What is wrong with what is typed. */
  get error() {
    return this.#fault === ""
      ? null
      : html`
          <p class="error" id="tail-pattern-error" role="alert">${this.#fault}</p>
        `;
  }

  /** @param {string} text */
  set(text) {
    clearTimeout(this.#settling);
    this.#text = text;
    this.#fault = faultOf(() => checkPattern(text));
    if (this.#fault === "") this.#valid = text;
  }

  close() {
    clearTimeout(this.#settling);
  }

  template() {
    return html`
      <label class="search tail-pattern">
        ${ICONS.search}
        <span class="aloud">Pattern</span>
        <input
          class="input mono"
          type="text"
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          placeholder="agent.#"
          .value=${live(this.#text)}
          aria-invalid=${this.#fault !== ""}
          @input=${this.#onInput}
          @change=${this.#onChange}
          aria-describedby=${this.#fault === "" ? nothing : "tail-pattern-error"}
        />
      </label>
    `;
  }

  /** @param {InputEvent} event */
  #onInput = (event) => {
    this.#text = /** @type {HTMLInputElement} */ (event.target).value;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(this.#onChange, SETTLE_MS);
  };

  #onChange = () => {
    const before = this.#valid + this.#fault;
    this.set(this.#text.trim());
    if (this.#valid + this.#fault !== before) this.#changed();
  };
}

/** The box that leads to a place in the log. */
export class Jump {
  #changed;
  #text = "";
  #fault = "";
  /** @type {string | null} */
  #cursor = null;

  /** @param {() => void} changed another place is shown, or the fault is another */
  constructor(changed) {
    this.#changed = changed;
  }

  /** The log is read behind this cursor; null: events are shown as they come. */
  get cursor() {
    return this.#cursor;
  }

  /** The cursor of the first event that can be shown; null as `cursor` is. */
  get first() {
    if (this.#cursor === null) return null;
    const { epoch, seq } = parseCursor(this.#cursor);
    return cursorOf(epoch, seq + 1);
  }

  /** What is wrong with what was typed. */
  get error() {
    return this.#fault === ""
      ? null
      : html`
          <p class="error" id="tail-jump-error" role="alert">${this.#fault}</p>
        `;
  }

  /** @param {string} cursor of an event, which is the first to be shown */
  to(cursor) {
    this.#text = cursor;
    this.#go(null);
  }

  /** @param {string} cursor shows what stands behind it */
  page(cursor) {
    this.#cursor = cursor;
    this.#changed();
  }

  leave() {
    this.#cursor = null;
    this.#text = this.#fault = "";
    this.#changed();
  }

  /** @param {string | null} head a bare number is one of its epoch */
  template(head) {
    /** @param {SubmitEvent} event */
    const submit = (event) => {
      event.preventDefault();
      this.#go(head);
      this.#changed();
    };
    return html`
      <form class="tail-jump" @submit=${submit}>
        <label class="aloud" for="tail-jump">Jump to a cursor or sequence number</label>
        <input
          class="input mono"
          id="tail-jump"
          type="text"
          autocomplete="off"
          spellcheck="false"
          placeholder="Cursor or seq"
          .value=${live(this.#text)}
          aria-invalid=${this.#fault !== ""}
          @input=${this.#onInput}
          aria-describedby=${this.#fault === "" ? nothing : "tail-jump-error"}
        />
        <button class="button">Jump</button>
      </form>
    `;
  }

  /** @param {InputEvent} event */
  #onInput = (event) => {
    this.#text = /** @type {HTMLInputElement} */ (event.target).value;
  };

  /** @param {string | null} head */
  #go(head) {
    const text = this.#text.trim();
    const cursor =
      BARE_SEQ.test(text) && head !== null ? cursorOf(parseCursor(head).epoch, Number(text)) : text;
    if (faultOf(() => parseCursor(cursor)) !== "") {
      this.#fault = `A cursor such as 5d1f0a9c3e7b2468:41, or a number such as 41, is expected, not "${text}".`;
      return;
    }
    this.#fault = "";
    const { epoch, seq } = parseCursor(cursor);
    this.#cursor = cursorOf(epoch, Math.max(0, seq - 1));
  }
}

/**
 * @param {() => unknown} check
 * @returns {string} the sentence of what it throws; empty: nothing
 */
function faultOf(check) {
  try {
    check();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
