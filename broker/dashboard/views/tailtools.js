// What stands around the tail's list: whether it runs, which events it shows, and the pages of the log.

import { empty } from "../parts/empty.js";
import { ICONS } from "../parts/icons.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../model/slices.js").TailSlice} Tail */
/** @typedef {import("./tailinput.js").Jump} Jump */
/** @typedef {typeof import("../format.js")} Format */

/**
 * Whether rows move on. `held`: the viewer looks at a row or has scrolled away from the newest, until that
 * ends; `paused`: asked for, until asked otherwise.
 *
 * @typedef {"running" | "held" | "paused"} Flow
 */

/** @typedef {"conflated" | "every"} Mode */

/** @type {{mode: Mode, text: string, title: string}[]} */
const MODES = [
  {
    mode: "conflated",
    text: "Latest",
    title: "The latest event of each topic, with the number of those left out",
  },
  { mode: "every", text: "Every event", title: "Every event; the oldest are left out where too many come" },
];

/**
 * @param {Flow} flow
 * @param {Jump} jump
 * @param {number} held events that came meanwhile
 * @param {Format} format
 */
export function stateOf(flow, jump, held, format) {
  if (jump.first !== null) {
    return html`<span class="tail-state info">The log from <span class="mono">${jump.first}</span></span>`;
  }
  if (flow === "running") return nothing;
  const words = flow === "held" ? "Held while you look" : "Paused";
  const newer = held === 0 ? "" : `, ${format.plural(held, "newer event")}`;
  return html`<span class="tail-state warn">${words}${newer}</span>`;
}

/**
 * @param {Mode} chosen
 * @param {boolean} isOff
 * @param {(mode: Mode) => void} choose
 */
export function modeChoice(chosen, isOff, choose) {
  return html`<fieldset class="choice" ?disabled=${isOff}>
    <legend class="aloud">Which events</legend>
    ${MODES.map(({ mode, text, title }) => html`<label title=${title}>
      <input type="radio" name="tail-mode" .checked=${mode === chosen} @change=${() => choose(mode)}>${text}
    </label>`)}
  </fieldset>`;
}

/**
 * @param {Flow} flow
 * @param {number} held
 * @param {Format} format
 * @param {(flow: Flow) => void} set
 */
export function pauseButton(flow, held, format, set) {
  const isRunning = flow === "running";
  const word = isRunning ? "Pause" : "Resume";
  return html`<button class="button tail-pause ${isRunning ? "" : "primary"}" type="button"
    title="${word} (P)" @click=${() => set(isRunning ? "paused" : "running")}>
    ${isRunning ? ICONS.pause : ICONS.play}${word}
    ${isRunning || held === 0 ? nothing : html`<span class="tail-held">${format.compact(held)}</span>`}
  </button>`;
}

/** @param {Jump} jump */
export function backButton(jump) {
  return html`<button class="button primary" type="button" @click=${() => jump.leave()}>
    ${ICONS.play}Back to live
  </button>`;
}

/**
 * @param {Tail} slice
 * @param {Jump} jump
 * @param {Format} format
 */
export function pager(slice, jump, format) {
  const page = (/** @type {string | null} */ cursor, /** @type {unknown} */ label) => html`
    <button class="button" type="button" ?disabled=${cursor === null || slice.loading}
      @click=${() => cursor !== null && jump.page(cursor)}>${label}</button>`;
  return html`<nav class="tail-pager" aria-label="Pages of the log">
    ${page(slice.older, html`${ICONS.older}Older`)}
    <span class="faint" role="status">
      ${slice.loading ? "Reading …" : format.plural(slice.rows.length, "event")}</span>
    ${page(slice.newer, html`Newer${ICONS.right}`)}
  </nav>`;
}

/** Where nothing of the log matches. @param {string} pattern */
export function nothingThere(pattern) {
  return empty({
    icon: ICONS.tail,
    title: `No events match ${pattern} there`,
    text: "The log holds none from this place on.",
  });
}

/** Where nothing has come yet. @param {string} pattern */
export function nothingYet(pattern) {
  return empty({
    icon: ICONS.tail,
    title: pattern === "#" ? "No events yet" : `No events match ${pattern} yet`,
    text: "They stand here as soon as they are published. Those of before are shown by a jump to a cursor.",
    command: `swarmwire pub ${exampleOf(pattern)} '{"status": "busy"}'`,
  });
}

/** A topic that the pattern matches. @param {string} pattern */
function exampleOf(pattern) {
  if (pattern === "#") return "agent.a1.status";
  const segments = pattern.split(".");
  return segments.map((segment) => (segment === "*" || segment === "#" ? "a1" : segment)).join(".");
}
