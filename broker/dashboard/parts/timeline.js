// What happened to something, newest first.

import { time } from "../format.js";
import { html, nothing } from "../template.js";
import { glyph, toneOf } from "./pill.js";

/** @typedef {{ tsMs: number, event: string, text: string | null }} Happening */

/** More are not drawn: nobody reads them, and every one costs each frame. */
const MOST = 50;

/**
 * @param {readonly Happening[]} happenings  oldest first
 * @param {string} label
 */
export function timeline(happenings, label) {
  const shown = happenings.slice(-MOST).reverse();
  return html`<ol class="timeline" aria-label=${label}>
    ${shown.map(({ tsMs, event, text }) => html`<li data-tone=${toneOf(event)}>
      <span class="timeline-mark">${glyph(toneOf(event))}</span>
      <time class="timeline-time">${time(tsMs)}</time>
      <span class="timeline-event">${event}</span>
      ${text ? html`<span class="timeline-text">${text}</span>` : nothing}
    </li>`)}
  </ol>
  ${happenings.length > MOST
    ? html`<p class="faint">${happenings.length - MOST} earlier ones are not shown.</p>`
    : nothing}`;
}
