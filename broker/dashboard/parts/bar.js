// Horizontal bars: how far a task is, how votes stand, how one figure compares with the largest.

import { html, nothing } from "../template.js";

/** @typedef {import("./pill.js").Tone} Tone */
/** @typedef {{ name: string, count: number, tone: Tone }} Share */

/**
 * How far something is.
 * @param {number} percent  from 0 to 100
 * @param {string} label  of what
 * @param {Tone} [tone]
 */
export function progressBar(percent, label, tone = "active") {
  const value = Math.max(0, Math.min(100, Math.round(percent)));
  return html`<span class="progress"><span class="bar" role="progressbar" aria-label=${label}
    aria-valuemin="0" aria-valuemax="100" aria-valuenow=${value} data-tone=${tone}><span class="bar-part"
    .style=${`width: ${value}%`}></span></span><span class="bar-figure">${value} %</span></span>`;
}

/**
 * A figure's size beside others of its column; the figure itself stands next to it as text.
 * @param {number} value
 * @param {number} largest
 */
export function sizeBar(value, largest) {
  const percent = largest > 0 ? Math.min(100, (100 * value) / largest) : 0;
  return html`<span class="bar bar-small" aria-hidden="true"><span class="bar-part"
    .style=${`width: ${percent.toFixed(1)}%`}></span></span>`;
}

/**
 * Parts of a whole side by side, named and counted below. What is left of `whole` stays empty.
 * @param {readonly Share[]} shares
 * @param {number} whole
 * @param {number | null} [mark]  a share from 0 to 1 at which a line stands
 */
export function shareBar(shares, whole, mark = null) {
  const present = shares.filter(({ count }) => count > 0);
  return html`<div class="shares">
    <div class="bar bar-shares" aria-hidden="true">
      ${present.map(({ count, tone }) => html`<span class="bar-part" data-tone=${tone}
        .style=${`width: ${(100 * count) / whole}%`}></span>`)}
      ${mark === null ? nothing : html`<span class="bar-mark" .style=${`left: ${100 * mark}%`}></span>`}
    </div>
    <ul class="shares-names">
      ${shares.map(({ name, count, tone }) => html`<li><span class="shares-key" data-tone=${tone}
        aria-hidden="true"></span>${name} <b>${count}</b></li>`)}
    </ul>
  </div>`;
}
