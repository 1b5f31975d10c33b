// A JSON value as a tree that is opened and closed. Text only, never markup; bounded in depth and in size.

import { html, nothing } from "../template.js";
import { ICONS } from "./icons.js";

/** @typedef {unknown[] | Record<string, unknown>} Nest */

const OPEN_AT_FIRST = 3;
const MOST_DEEP = 64;
const MOST_ENTRIES = 100;
const MOST_TEXT = 2000;

/** A view of one value after another; what was opened or closed stays so while the same thing is shown. */
export class JsonView {
  #changed;
  /** @type {string | null} */
  #of = null;
  /** @type {string | null} */
  #text = null;
  /** @type {{value: unknown} | null} */
  #parsed = null;
  /** @type {Map<string, boolean>} path -> open, for what was touched */
  #touched = new Map();
  /** @type {Map<string, number>} path -> entries shown, where more than the first were asked for */
  #shown = new Map();

  /** @param {() => void} changed draws the view anew */
  constructor(changed) {
    this.#changed = changed;
  }

  /**
   * @param {string} text a JSON value; what is none, as one that was cut, is shown as it is
   * @param {string} of what it belongs to
   */
  template(text, of) {
    if (of !== this.#of) {
      this.#touched.clear();
      this.#shown.clear();
    }
    if (text !== this.#text) this.#parsed = parse(text);
    this.#of = of;
    this.#text = text;
    const parsed = this.#parsed;
    return html`<div class="json" role="group" aria-label="JSON value">
      ${parsed === null
        ? html`<div class="json-leaf">${cutText(text)}</div>`
        : this.#node("", parsed.value, "$", 0)}
    </div>`;
  }

  /**
   * @param {string} key
   * @param {unknown} value
   * @param {string} path
   * @param {number} depth
   * @returns {unknown}
   */
  #node(key, value, path, depth) {
    if (value === null || typeof value !== "object")
      return html`<div class="json-leaf">${name(key)}${leaf(value)}</div>`;
    const nest = /** @type {Nest} */ (value);
    const entries = Object.entries(nest);
    const [begin, end] = Array.isArray(nest) ? ["[", "]"] : ["{", "}"];
    if (entries.length === 0) return html`<div class="json-leaf">${name(key)}${begin}${end}</div>`;
    if (depth >= MOST_DEEP)
      return html`<div class="json-leaf">${name(key)}<span class="json-note">more levels below</span></div>`;
    return this.#branch(key, path, depth, { entries, begin, end, isList: Array.isArray(nest) });
  }

  /**
   * @param {string} key
   * @param {string} path
   * @param {number} depth
   * @param {{entries: [string, unknown][], begin: string, end: string, isList: boolean}} nest
   */
  #branch(key, path, depth, { entries, begin, end, isList }) {
    const isOpen = this.#touched.get(path) ?? depth < OPEN_AT_FIRST;
    const toggle = () => {
      this.#touched.set(path, !isOpen);
      this.#changed();
    };
    const size = `${entries.length} ${isList ? "item" : "field"}${entries.length === 1 ? "" : "s"}`;
    return html`<div class="json-row">
        <button class="json-toggle" type="button" aria-expanded=${isOpen} @click=${toggle}
          aria-label="${key || "value"}, ${size}">
          ${isOpen ? ICONS.down : ICONS.right}</button>
        <span>${name(key)}${begin}${isOpen
          ? nothing
          : html`<span class="json-note"> ${size} </span>${end}`}</span>
      </div>
      ${isOpen
        ? html`<div class="json-nest">${this.#entries(entries, path, depth, isList)}</div>
            <div class="json-leaf">${end}</div>`
        : nothing}`;
  }

  /**
   * @param {[string, unknown][]} entries
   * @param {string} path
   * @param {number} depth
   * @param {boolean} isList
   */
  #entries(entries, path, depth, isList) {
    const shown = this.#shown.get(path) ?? MOST_ENTRIES;
    const more = () => {
      this.#shown.set(path, shown + MOST_ENTRIES);
      this.#changed();
    };
    const rest = entries.length - shown;
    const drawn = entries.slice(0, shown).map(([key, value]) => {
      return this.#node(isList ? "" : key, value, `${path}/${key}`, depth + 1);
    });
    if (rest <= 0) return drawn;
    return html`${drawn}<button class="button quiet small" type="button" @click=${more}>
      Show ${Math.min(rest, MOST_ENTRIES)} more of ${rest}</button>`;
  }
}

/**
 * @param {string} text
 * @returns {{value: unknown} | null}
 */
function parse(text) {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

/** @param {string} key */
function name(key) {
  return key === "" ? nothing : html`<span class="json-key">${JSON.stringify(key)}</span>: `;
}

/** @param {unknown} value */
function leaf(value) {
  if (typeof value === "string")
    return html`<span class="json-string">${JSON.stringify(cutText(value))}</span>`;
  if (typeof value === "number") return html`<span class="json-number">${String(value)}</span>`;
  return html`<span class="json-word">${String(value)}</span>`;
}

/** @param {string} text */
function cutText(text) {
  return text.length <= MOST_TEXT
    ? text
    : `${text.slice(0, MOST_TEXT)}… (${text.length - MOST_TEXT} more characters)`;
}
