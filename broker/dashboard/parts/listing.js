// A view's list with all that chooses from it: text of a filter, a chosen state, the order, the selected row.

import { count } from "../format.js";
import { html, live, nothing } from "../template.js";
import { empty, loading } from "./empty.js";
import { ICONS } from "./icons.js";
import { panel } from "./panel.js";
import { Rows } from "./rows.js";

/** @typedef {import("../context.js").Context} Context */
/**
 * @template Row
 * @typedef {Omit<import("./rows.js").RowsOptions<Row>, "changed">} ListOptions
 */
/**
 * @template Row
 * @typedef {{ rows: Row[], total: number, offset?: number }} ListSlice
 */
/** @typedef {{ title: string, state?: unknown, body: unknown }} Detail */

/** @template Row */
export class Listing {
  #context;
  #options;
  /** @type {Rows<Row>} */
  #rows;
  #filter = "";
  #chosen = /** @type {string | null} */ (null);
  #selected = /** @type {string | null} */ (null);
  #slice = /** @type {ListSlice<Row> | null} */ (null);
  #offset = 0;

  /**
   * @param {Context} context
   * @param {ListOptions<Row>} options  `name` is also the view's, in whose address the selection stands
   */
  constructor(context, options) {
    this.#context = context;
    this.#options = options;
    this.#rows = new Rows({
      ...options,
      open: options.open ?? ((row) => this.select(options.keyOf(row))),
      onKey: (row, key) => this.#onKey(row, key),
      changed: () => context.changed(),
    });
  }

  /** The key of the selected row. */
  get selected() {
    return this.#selected;
  }

  /** The chosen state, null for all. */
  get chosen() {
    return this.#chosen;
  }

  get rows() {
    return this.#rows;
  }

  /** Whether rows are left out by what was typed or chosen. */
  get isFiltered() {
    return this.#filter !== "" || this.#chosen !== null;
  }

  /** What the list asks its slice for. */
  query() {
    return { filter: this.#filter, sort: this.#rows.sort, ...this.#rows.window() };
  }

  /** @param {URLSearchParams} params  `selected` and, where given, `filter` */
  opened(params) {
    this.#selected = params.get("selected");
    const filter = params.get("filter");
    if (filter !== null && filter !== this.#filter) this.#refine(filter, null);
  }

  closed() {
    this.#rows.close();
  }

  /** @param {string | null} key */
  select(key) {
    this.#context.go(this.#options.name, key === null ? undefined : { selected: key });
  }

  /** @param {string | null} state */
  choose(state) {
    this.#refine(this.#filter, state);
    this.#context.changed();
  }

  /**
   * The box that filters, and how many rows passed.
   * @param {string} placeholder  what can be typed
   * @param {number | undefined} total
   */
  bar(placeholder, total) {
    const label = `Filter ${this.#options.label.toLowerCase()}`;
    return html`<label class="search">${ICONS.search}<span class="aloud">${label}</span><input
        class="input" type="search" autocomplete="off" spellcheck="false" placeholder=${placeholder}
        .value=${live(this.#filter)}
        @input=${this.#onInput}></label>
      <span class="list-total faint">${total === undefined ? nothing : `${count(total)} shown`}</span>`;
  }

  /**
   * The list, and beside it the panel of the selected row.
   * @param {ListSlice<Row> | undefined} slice
   * @param {string} kind  of what the rows are
   * @param {Detail | null} detail  null: it is not known, or not any more
   */
  draw(slice, kind, detail) {
    const selected = this.#selected;
    const close = () => this.#close();
    return html`<div class="split" data-open=${selected !== null}>
      <div class="card list">${slice === undefined ? loading() : this.#list(slice)}</div>
      ${selected === null
        ? nothing
        : panel({ kind, close, ...(detail ?? unknown(selected)) })}
    </div>`;
  }

  /** @param {ListSlice<Row>} slice */
  #list(slice) {
    const { rows, total } = slice;
    const offset = this.#offsetOf(slice);
    const content = { rows, total, offset, selected: this.#selected };
    if (total > 0 || !this.isFiltered) return this.#rows.draw(content);
    return empty({
      icon: ICONS.search,
      title: "Nothing passes the filter",
      text: "Other text, or another state, shows more.",
      action: html`<button type="button" class="button small" @click=${this.#clear}>Show all</button>`,
    });
  }

  /**
   * Where the rows of a slice stand. One that does not say so answers the question that was asked
   * when it came.
   *
   * @param {ListSlice<Row>} slice
   */
  #offsetOf(slice) {
    if (slice !== this.#slice) this.#offset = slice.offset ?? this.#rows.window().offset;
    this.#slice = slice;
    return this.#offset;
  }

  /**
   * @param {Row} row
   * @param {string} key
   */
  #onKey(row, key) {
    if (key !== "Escape" || this.#selected === null) return this.#options.onKey?.(row, key) ?? false;
    this.#close();
    return true;
  }

  #close() {
    this.#rows.focus();
    this.select(null);
  }

  #clear = () => {
    this.#refine("", null);
    this.#context.changed();
  };

  /** @param {InputEvent} event */
  #onInput = (event) => {
    this.#refine(/** @type {HTMLInputElement} */ (event.target).value, this.#chosen);
    this.#context.changed();
  };

  /**
   * @param {string} filter
   * @param {string | null} chosen
   */
  #refine(filter, chosen) {
    this.#filter = filter;
    this.#chosen = chosen;
    this.#rows.toTop();
  }
}

/** @param {string} title @returns {Detail} of what is selected and not there: not yet, or not any more */
function unknown(title) {
  return { title, body: html`<p class="faint">Nothing is known of it yet, or not any more.</p>` };
}
