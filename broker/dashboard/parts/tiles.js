// Counts by state, of which one may be chosen: a filter that shows its numbers.

import { count } from "../format.js";
import { html } from "../template.js";
import { glyph, toneOf } from "./pill.js";

/**
 * @param {object} given
 * @param {string} given.label
 * @param {readonly string[]} given.states in the order of their tiles; others that occur come behind
 * @param {Record<string, number>} given.counts
 * @param {string | null} given.chosen
 * @param {(state: string | null) => void} given.choose null: all
 */
export function stateTiles({ label, states, counts, chosen, choose }) {
  const others = Object.keys(counts).filter((state) => !states.includes(state) && counts[state] > 0);
  const all = Object.values(counts).reduce((sum, number) => sum + number, 0);
  const tile = (/** @type {string | null} */ state, /** @type {number} */ number) => html`<button
    type="button" class="state-tile" data-tone=${state === null ? "quiet" : toneOf(state)}
    data-none=${number === 0} aria-pressed=${state === chosen}
    @click=${() => choose(state === chosen ? null : state)}>
    <span class="state-tile-count">${count(number)}</span>
    <span class="state-tile-name">${state === null ? "all" : html`${glyph(toneOf(state))}${state}`}</span>
  </button>`;
  return html`<div class="state-tiles" role="group" aria-label=${label}>
    ${tile(null, all)}${[...states, ...others.sort()].map((state) => tile(state, counts[state] ?? 0))}
  </div>`;
}
