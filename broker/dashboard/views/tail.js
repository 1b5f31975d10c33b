// The events as they come, or as the log holds them behind a cursor; one of them in full beside the list.

import { copy } from "../parts/clipboard.js";
import { loading } from "../parts/empty.js";
import { ICONS } from "../parts/icons.js";
import { JsonView } from "../parts/json.js";
import { Rows } from "../parts/rows.js";
import { html, nothing } from "../template.js";
import { tailColumns } from "./tailcolumns.js";
import { tailDetail } from "./taildetail.js";
import { Jump, TailPattern } from "./tailinput.js";
import * as tools from "./tailtools.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").TailSlice} Tail */
/** @typedef {import("../model/slices.js").TailEvent | import("../model/slices.js").TailGap} Row */

/** @typedef {import("./tailtools.js").Flow} Flow */
/** @typedef {import("./tailtools.js").Mode} Mode */

/** A page of the log; what comes live is asked for as the list needs it. */
const PAGE = 200;
const SAID_MS = 1600;

/**
 * @param {Context} context
 * @returns {View}
 */
export function tailView(context) {
  const tail = new TailView(context);
  return {
    name: "tail",
    title: "Tail",
    icon: ICONS.tail,
    wants: () => ({ tail: tail.query() }),
    draw: ({ tail: slice, status }) => tail.draw(slice, status?.head ?? null),
    opened: (params) => tail.opened(params),
    closed: () => tail.closed(),
  };
}

class TailView {
  #context;
  #pattern;
  #jump;
  #json;
  /** @type {Rows<Row>} */
  #rows;
  /** @type {Mode} */
  #mode = "conflated";
  /** @type {Flow} */
  #flow = "running";
  /** @type {Row | null} kept here, for the list goes on without it */
  #selected = null;
  /** The log it is of: there may be a new one since. @type {string | null} */
  #epoch = null;
  #isAtTop = true;
  /** The list's own scrolling, which does not bubble. */
  #scrolls = { capture: true, handleEvent: (/** @type {Event} */ event) => this.#onScroll(event) };
  #said = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saying;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    const changed = () => context.changed();
    this.#pattern = new TailPattern(() => this.#again());
    this.#jump = new Jump(() => this.#again());
    this.#json = new JsonView(changed);
    this.#rows = new Rows({
      name: "tail",
      label: "Events",
      columns: tailColumns(context.format),
      keyOf: (row) => String(row.key),
      open: (row) => this.#select(row),
      onKey: (row, key) => this.#onKey(row, key),
      changed,
    });
  }

  /** @returns {import("../model/slices.js").TailQuery} */
  query() {
    const cursor = this.#jump.cursor;
    const shown = cursor === null ? this.#rows.window() : { offset: 0, limit: PAGE };
    return {
      pattern: this.#pattern.valid,
      paused: this.#flow !== "running",
      mode: this.#mode,
      jump: cursor,
      ...shown,
    };
  }

  /** @param {URLSearchParams} params `pattern`, and `cursor` to jump to */
  opened(params) {
    const [pattern, cursor] = [params.get("pattern"), params.get("cursor")];
    if (pattern !== null) this.#pattern.set(pattern);
    if (cursor !== null) this.#jump.to(cursor);
    else if (pattern !== null) this.#jump.leave();
    if (pattern !== null || cursor !== null) this.#restart();
  }

  closed() {
    this.#pattern.close();
    this.#rows.close();
    clearTimeout(this.#saying);
  }

  /**
   * @param {Tail | undefined} slice
   * @param {string | null} head
   */
  draw(slice, head) {
    const selected = this.#selected;
    return html`<div class="fills">
      <div class="view-head">
        <h1>Tail</h1>
        ${tools.stateOf(this.#flow, this.#jump, slice?.held ?? 0, this.#context.format)}
        <span class="aloud" role="status">${this.#said}</span>
      </div>
      ${this.#tools(slice, head)} ${this.#errors(slice)}
      <div class="split" data-open=${selected !== null}>
        <div class="card list" @scroll=${this.#scrolls}>${this.#list(slice)} ${this.#pager(slice)}</div>
        ${selected === null ? nothing : this.#detail(selected, slice, head)}
      </div>
    </div>`;
  }

  /**
   * @param {Tail | undefined} slice
   * @param {string | null} head
   */
  #tools(slice, head) {
    const isLog = this.#jump.cursor !== null;
    const set = (/** @type {Flow} */ flow) => this.#setFlow(flow);
    return html`<div class="tail-tools">
      ${this.#pattern.template()} ${tools.modeChoice(this.#mode, isLog, (mode) => this.#choose(mode))}
      ${isLog
        ? tools.backButton(this.#jump)
        : tools.pauseButton(this.#flow, slice?.held ?? 0, this.#context.format, set)}
      ${this.#jump.template(head)}
    </div>`;
  }

  /** @param {Tail | undefined} slice */
  #errors(slice) {
    const problem = slice?.error;
    return html`${this.#pattern.error ?? nothing} ${this.#jump.error ?? nothing}
      ${problem
        ? html`<div class="notice bad" role="alert"><strong>${problem.code}</strong>${problem.message}</div>`
        : nothing}`;
  }

  /** @param {Tail | undefined} slice */
  #list(slice) {
    if (slice === undefined || (slice.loading && slice.rows.length === 0)) return loading();
    const isLog = this.#jump.cursor !== null;
    if (slice.rows.length === 0 && slice.total === 0) {
      return isLog ? tools.nothingThere(this.#pattern.valid) : tools.nothingYet(this.#pattern.valid);
    }
    const { offset, limit } = this.#rows.window();
    const rows = isLog ? slice.rows.slice(offset, offset + limit) : slice.rows.toReversed();
    const total = isLog ? slice.rows.length : slice.total;
    return this.#rows.draw({
      rows,
      total,
      offset: Math.min(offset, total),
      selected: this.#selected && String(this.#selected.key),
    });
  }

  /** @param {Tail | undefined} slice */
  #pager(slice) {
    if (this.#jump.cursor === null || slice === undefined) return nothing;
    return tools.pager(slice, this.#jump, this.#context.format);
  }

  /**
   * @param {Row} row
   * @param {Tail | undefined} slice
   * @param {string | null} head
   */
  #detail(row, slice, head) {
    this.#epoch ??= epochOf(slice?.position ?? head);
    return tailDetail(row, {
      format: this.#context.format,
      json: this.#json,
      epoch: this.#epoch,
      copy: (text, what) => void this.#copy(text, what),
      follow: (topic) => this.#follow(topic),
      close: () => this.#close(),
      said: this.#said,
    });
  }

  /** @param {Row} row */
  #select(row) {
    this.#selected = row;
    this.#epoch = null;
    this.#settle();
  }

  #close() {
    this.#selected = null;
    this.#rows.focus();
    this.#settle();
  }

  /** @param {Event} event */
  #onScroll(event) {
    const isAtTop = /** @type {Element} */ (event.target).scrollTop <= 0;
    if (isAtTop === this.#isAtTop) return;
    this.#isAtTop = isAtTop;
    this.#settle();
  }

  /** Rows go on where the newest are seen and none is looked at. */
  #settle() {
    if (this.#flow !== "paused") this.#flow = this.#isAtTop && this.#selected === null ? "running" : "held";
    this.#context.changed();
  }

  /** @param {Flow} flow */
  #setFlow(flow) {
    if (flow === "running") {
      this.#selected = null;
      this.#toTop();
    }
    this.#flow = flow;
    this.#context.changed();
  }

  /** @param {Mode} mode */
  #choose(mode) {
    this.#mode = mode;
    this.#again();
  }

  /** Other events than before. */
  #again() {
    this.#restart();
    this.#context.changed();
  }

  #restart() {
    this.#selected = null;
    if (this.#flow === "held") this.#flow = "running";
    this.#toTop();
  }

  #toTop() {
    this.#isAtTop = true;
    this.#rows.toTop();
  }

  /** @param {string} topic */
  #follow(topic) {
    this.#pattern.set(topic);
    this.#again();
  }

  /**
   * @param {Row} row
   * @param {string} key
   */
  #onKey(row, key) {
    if (key === "p") this.#setFlow(this.#flow === "running" ? "paused" : "running");
    else if (key === "t" && row.gap === null) void this.#copy(row.topic, "Topic");
    else return false;
    return true;
  }

  /**
   * @param {string} text
   * @param {string} what
   */
  async #copy(text, what) {
    this.#said = (await copy(text)) ? `${what} copied` : "The browser does not let this page copy";
    this.#context.changed();
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => {
      this.#said = "";
      this.#context.changed();
    }, SAID_MS);
  }
}

/** @param {string | null} cursor */
function epochOf(cursor) {
  return cursor?.split(":")[0] ?? null;
}
