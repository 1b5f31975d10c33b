// Names and values of one thing, one below the other.

import { html, nothing } from "../template.js";

/** @param {readonly (readonly [string, unknown])[]} pairs one whose value is null or undefined is left out */
export function facts(pairs) {
  return html`<dl class="facts">${pairs.map(([term, value]) => value === null || value === undefined
    ? nothing
    : html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>`;
}
