// The few numbers that are looked at first, large and in a row.

import { html } from "../template.js";

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} value
 * @property {string} note
 * @property {"warn" | "bad"} [look] where it asks to be seen
 */

/** @param {Figure[]} list */
export function figures(list) {
  return html`<dl class="figures">${list.map(({ name, value, note, look = "" }) => {
    const [number, unit] = split(value);
    return html`<div class="figure ${look}">
      <dt>${name}</dt>
      <dd>${number}<small>${unit}</small></dd>
      <dd class="figure-note" title=${note}>${note}</dd>
    </div>`;
  })}</dl>`;
}

/** The number and its unit, which is written smaller: `12.3k/s`, `0.84 ms`. @param {string} value */
function split(value) {
  const at = value.search(/[ /]/);
  return at < 0 ? [value, ""] : [value.slice(0, at), value.slice(at).trim()];
}
