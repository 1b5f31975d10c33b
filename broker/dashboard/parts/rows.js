// A long list as a grid of which only the rows in sight are in the page: sortable by its header, walked by
// the keyboard, on a phone a list of cards of two lines.

import { html, nothing } from "../template.js";
import { scrollTo, stepOf, windowOf } from "./window.js";

/** Where CSS makes cards of the rows. */
const PHONE = matchMedia("(width <= 720px)");
const ROW_HEIGHT = 36;
const CARD_HEIGHT = 60;

/** Assumed until the list was seen, so that its first question is not for the whole of it. */
const FIRST_HEIGHT = 900;

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} name  of its CSS class `cell-<name>`, and in the list's `sort`
 * @property {string} title
 * @property {boolean} [sorts]  the header has a button
 * @property {boolean} [falls]  the first press of it sorts downwards, as one wants of figures
 * @property {(row: Row) => unknown} cell
 */
/** @typedef {{ level: number, isOpen: boolean | null }} Branch  `isOpen` is null for a leaf */
/**
 * @template Row
 * @typedef {object} RowsOptions
 * @property {string} name  of its CSS class `rows-<name>`, which says how wide the columns are
 * @property {string} label
 * @property {Column<Row>[]} columns
 * @property {(row: Row) => string} keyOf
 * @property {() => void} changed  another question, or another look of the same rows
 * @property {(row: Row) => void} [open]  a click on a row, or Enter
 * @property {string} [sort]  a column's name, `-` before it for downwards
 * @property {number} [cardHeight]  of a row on a phone, in pixels; two lines by default
 * @property {(row: Row) => Branch} [branch]  makes the grid a tree
 * @property {(row: Row, key: string) => boolean} [onKey]  true where it used a key that moves nowhere
 */
/**
 * @template Row
 * @typedef {{ rows: Row[], total: number, offset: number, selected?: string | null }} Content
 */

/** @template Row */
export class Rows {
  #options;
  #id;
  #sort;
  #scroller = /** @type {HTMLElement | null} */ (null);
  #seen = new ResizeObserver(() => this.#look());
  #scrollTop = 0;
  #height = FIRST_HEIGHT;
  #rows = /** @type {Row[]} */ ([]);
  #offset = 0;
  #total = 0;
  #active = 0;
  #activeKey = /** @type {string | null} */ (null);
  #hadFocus = false;

  /** @param {RowsOptions<Row>} options */
  constructor(options) {
    this.#options = options;
    this.#id = `rows-${options.name}`;
    this.#sort = options.sort ?? "";
  }

  /** The order that the list wants its rows in: for its query. */
  get sort() {
    return this.#sort;
  }

  /** The rows that the list wants to be given: for its query. */
  window() {
    const { scrollTop, height } = this.#viewport();
    return windowOf({ scrollTop, height, rowHeight: this.#rowHeight, total: this.#total });
  }

  /** Whether the first row is in sight. */
  get isAtTop() {
    return this.#scrollTop < this.#rowHeight;
  }

  /** Back to the first row, for other rows than before. */
  toTop() {
    this.#active = 0;
    this.#activeKey = null;
    this.#scrollTop = 0;
    if (this.#scroller) this.#scroller.scrollTop = 0;
  }

  /** Puts the keyboard on the row it was on. */
  focus() {
    this.#hadFocus = true;
    this.#settle();
  }

  /** @param {Content<Row>} content */
  draw({ rows, total, offset, selected = null }) {
    this.#take(rows, total, offset);
    queueMicrotask(() => this.#settle());
    const { name, label, columns, branch } = this.#options;
    const height = this.#rowHeight;
    const style = `--row-height: ${height}px`;
    return html`<div class="rows rows-${name}" id=${this.#id} role=${branch ? "treegrid" : "grid"}
      aria-label=${label} aria-rowcount=${total + 1} aria-colcount=${columns.length} .style=${style}
      tabindex=${this.#rowAt(this.#active) === undefined ? 0 : -1} @scroll=${this.#onScroll}
      @keydown=${this.#onKeydown} @click=${this.#onClick} @focusin=${this.#onFocusin}>
      <div class="rows-head" role="rowgroup"><div class="rows-line" role="row" aria-rowindex="1">
        ${columns.map((column) => this.#header(column))}
      </div></div>
      <div class="rows-body" role="rowgroup" .style=${`height: ${total * height}px`}>
        <div class="rows-window" role="presentation" .style=${`transform: translateY(${offset * height}px)`}>
          ${rows.map((row, at) => this.#row(row, offset + at, selected))}
        </div>
      </div>
    </div>`;
  }

  /** Lets go of the page; the list may be drawn again. */
  close() {
    this.#seen.disconnect();
    this.#scroller = null;
  }

  /**
   * The keyboard stays on its row where the row moved to another place, and on its place where the row is
   * gone.
   * @param {Row[]} rows
   * @param {number} total
   * @param {number} offset
   */
  #take(rows, total, offset) {
    this.#rows = rows;
    this.#offset = offset;
    this.#total = total;
    const { keyOf } = this.#options;
    const moved = this.#activeKey === null ? -1 : rows.findIndex((row) => keyOf(row) === this.#activeKey);
    this.#active = moved >= 0 ? offset + moved : Math.max(0, Math.min(this.#active, total - 1));
    this.#hadFocus ||= this.#holdsFocus();
  }

  /** @param {Column<Row>} column */
  #header(column) {
    const [isSorted, falls] = [this.#sort.replace("-", "") === column.name, this.#sort.startsWith("-")];
    const sort = isSorted ? (falls ? "descending" : "ascending") : column.sorts ? "none" : nothing;
    return html`<div class="cell cell-${column.name}" role="columnheader" aria-sort=${sort}>
      ${column.sorts
        ? html`<button type="button" class="rows-sort" data-column=${column.name}>${column.title}<span
            class="rows-arrow" aria-hidden="true"></span></button>`
        : html`<span class="rows-title">${column.title}</span>`}
    </div>`;
  }

  /**
   * @param {Row} row
   * @param {number} index
   * @param {string | null} selected
   */
  #row(row, index, selected) {
    const { columns, keyOf, branch } = this.#options;
    const { level, isOpen } = branch ? branch(row) : { level: nothing, isOpen: null };
    return html`<div class="rows-row" role="row" data-index=${index} aria-rowindex=${index + 2}
      tabindex=${index === this.#active ? 0 : -1} aria-selected=${keyOf(row) === selected}
      aria-level=${level} aria-expanded=${isOpen ?? nothing}>
      ${columns.map(({ name, cell }) => html`<div role="gridcell" class="cell cell-${name}">
        ${cell(row)}</div>`)}
    </div>`;
  }

  /** In pixels. */
  get #rowHeight() {
    return PHONE.matches ? (this.#options.cardHeight ?? CARD_HEIGHT) : ROW_HEIGHT;
  }

  /** What can only be done to the drawn page: heights are measured, and focus goes to the row it is on. */
  #settle() {
    const scroller = document.getElementById(this.#id);
    if (scroller !== this.#scroller) this.#watch(scroller);
    if (!this.#hadFocus || !scroller) return;
    this.#hadFocus = false;
    const row = scroller.querySelector(`[data-index="${this.#active}"]`);
    const target = row instanceof HTMLElement ? row : scroller;
    if (document.activeElement !== target) target.focus({ preventScroll: true });
  }

  /** @param {HTMLElement | null} scroller */
  #watch(scroller) {
    this.#seen.disconnect();
    this.#scroller = scroller;
    if (!scroller) return;
    scroller.scrollTop = this.#scrollTop;
    this.#seen.observe(scroller);
  }

  #look() {
    if (!this.#scroller) return;
    const before = this.window();
    this.#height = this.#scroller.clientHeight;
    this.#scrollTop = this.#scroller.scrollTop;
    const { offset, limit } = this.window();
    if (offset !== before.offset || limit !== before.limit) this.#options.changed();
  }

  #onScroll = () => this.#look();

  /** @param {MouseEvent} event */
  #onClick = (event) => {
    const target = /** @type {Element} */ (event.target);
    const column = target.closest("[data-column]");
    if (column instanceof HTMLElement) return this.#sortBy(column.dataset.column ?? "");
    const index = indexOf(target);
    if (index === null) return;
    this.#activate(index);
    this.#open();
  };

  /** @param {FocusEvent} event */
  #onFocusin = (event) => {
    const index = indexOf(/** @type {Element} */ (event.target));
    if (index !== null && index !== this.#active) this.#activate(index);
  };

  /** @param {KeyboardEvent} event */
  #onKeydown = (event) => {
    if (!this.#holdsFocus() || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.#viewport().height / this.#rowHeight) - 1);
    const to = stepOf(event.key, this.#active, this.#total, page);
    if (to !== null) this.#walk(to);
    else if (event.key === "Enter" || event.key === " ") this.#open();
    else if (!this.#useKey(event.key)) return;
    event.preventDefault();
  };

  /** @param {string} key */
  #useKey(key) {
    const row = this.#rowAt(this.#active);
    return row !== undefined && (this.#options.onKey?.(row, key) ?? false);
  }

  /**
   * Moves the keyboard to the row that `finds` names, among those drawn.
   * @param {(row: Row) => boolean} finds
   */
  walkTo(finds) {
    const at = this.#rows.findIndex(finds);
    if (at >= 0) this.#walk(this.#offset + at);
  }

  /** @param {number} index */
  #walk(index) {
    this.#activate(index);
    this.#hadFocus = true;
    if (this.#scroller) this.#scroller.scrollTop = scrollTo(index, this.#viewport());
    this.#options.changed();
  }

  /** @param {number} index */
  #activate(index) {
    const row = this.#rowAt(index);
    this.#active = index;
    this.#activeKey = row === undefined ? null : this.#options.keyOf(row);
  }

  #open() {
    const row = this.#rowAt(this.#active);
    if (row !== undefined) this.#options.open?.(row);
    this.#options.changed();
  }

  /** @param {string} name */
  #sortBy(name) {
    const falls = this.#options.columns.find((column) => column.name === name)?.falls ?? false;
    const [first, second] = falls ? [`-${name}`, name] : [name, `-${name}`];
    this.#sort = this.#sort === first ? second : first;
    this.toTop();
    this.#options.changed();
  }

  /** The part of the scroller below the header, which stays where it is. */
  #viewport() {
    const head = this.#scroller?.querySelector(".rows-head");
    const height = this.#height - (head instanceof HTMLElement ? head.offsetHeight : 0);
    return { scrollTop: this.#scrollTop, height: Math.max(0, height), rowHeight: this.#rowHeight };
  }

  /** @param {number} index */
  #rowAt(index) {
    return this.#rows[index - this.#offset];
  }

  /** Whether the keyboard is on a row, or on the scroller in place of one that is not drawn. */
  #holdsFocus() {
    const focused = document.activeElement;
    if (!this.#scroller || !focused) return false;
    return focused === this.#scroller || (this.#scroller.contains(focused) && focused.matches(".rows-row"));
  }
}

/** @param {Element} element @returns {number | null} */
function indexOf(element) {
  const row = element.closest("[data-index]");
  return row instanceof HTMLElement ? Number(row.dataset.index) : null;
}
