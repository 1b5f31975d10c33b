// The panel beside a list that tells all of the selected row. On a phone it lies over the list.

import { html, nothing } from "../template.js";
import { ICONS } from "./icons.js";

/**
 * @param {object} given
 * @param {string} given.kind what is shown, in one word
 * @param {string} given.title its name in full, however long
 * @param {unknown} [given.state] its pill
 * @param {unknown} given.body
 * @param {() => void} given.close
 */
export function panel({ kind, title, state = nothing, body, close }) {
  const onKeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };
  return html`<aside class="panel" aria-label="${kind} ${title}" @keydown=${onKeydown}>
    <div class="panel-grip"></div>
    <header class="panel-head">
      <h2><span class="panel-kind">${kind}</span><span class="panel-title">${title}</span></h2>
      ${state}
      <button type="button" class="button quiet icon-only" title="Close (Esc)" aria-label="Close"
        @click=${close}>
        ${ICONS.close}
      </button>
    </header>
    <div class="panel-body" tabindex="0" role="group" aria-label=${`Of ${title}`}>${body}</div>
  </aside>`;
}

/**
 * A part of a panel under a heading of its own.
 *
 * @param {string} title
 * @param {unknown} body
 */
export function section(title, body) {
  return html`<section class="panel-section"><h3>${title}</h3>${body}</section>`;
}
