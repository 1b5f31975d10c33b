// Swarms: each at a glance, and of one its topology, its votes and what it does.

import { empty, loading } from "../parts/empty.js";
import { ICONS } from "../parts/icons.js";
import { html, live, nothing } from "../template.js";
import { swarmDetail } from "./swarmdetail.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").SwarmRow} SwarmRow */
/** @typedef {import("../model/slices.js").SwarmsSlice} SwarmsSlice */

/** Swarms drawn at once; of more, those that the filter finds. */
const MOST = 40;

/** With so few there is nothing to search. */
const FEW = 6;

/**
 * @param {Context} context
 * @returns {View}
 */
export function swarmsView(context) {
  /** @type {string | null} */
  let chosen = null;
  /** @type {string | null} the first swarm, shown until one is chosen */
  let first = null;
  let filter = "";

  /** @param {InputEvent} event */
  function onInput(event) {
    filter = /** @type {HTMLInputElement} */ (event.target).value;
    context.changed();
  }

  /** @param {SwarmsSlice} slice */
  function take({ rows }) {
    const present = rows.some(({ id }) => id === first) ? first : (rows[0]?.id ?? null);
    if (present === first) return;
    first = present;
    if (chosen === null) queueMicrotask(() => context.changed());
  }

  return {
    name: "swarms",
    title: "Swarms",
    icon: ICONS.swarms,
    wants: () => ({ swarms: { selected: chosen ?? first } }),
    opened: (params) => {
      chosen = params.get("selected");
    },
    draw: (slices) => {
      const slice = /** @type {SwarmsSlice | undefined} */ (slices.swarms);
      if (slice === undefined) return html`<div class="view-head"><h1>Swarms</h1></div>${loading()}`;
      if (slice.rows.length === 0) return lonely();
      take(slice);
      return html`<div class="view-head"><h1>Swarms</h1>
          ${slice.rows.length > FEW ? search(filter, onInput) : nothing}</div>
        ${cards(slice.rows, { filter, selected: chosen ?? first, context })}
        ${slice.detail === null ? missing(chosen) : swarmDetail(slice.detail, slice.rows, context)}`;
    },
  };
}

function lonely() {
  return html`<div class="view-head"><h1>Swarms</h1></div>${empty({
    icon: ICONS.swarms,
    title: "No swarm yet",
    text: html`A swarm appears here with its first event on <code>swarm.&lt;id&gt;.&lt;event&gt;</code>: its
      state, an agent that joins, a proposal to vote on.`,
    command: `swarmwire pub swarm.s1.agent-joined '{"swarmId": "s1", "agentId": "a1", "role": "coordinator"}'`,
  })}`;
}

/** @param {string | null} chosen */
function missing(chosen) {
  if (chosen === null) return loading();
  const text = "No event of this swarm has come, or it was forgotten.";
  return empty({ icon: ICONS.search, title: `Nothing is known of ${chosen}`, text });
}

/**
 * @param {string} filter
 * @param {(event: InputEvent) => void} onInput
 */
function search(filter, onInput) {
  return html`<label class="search">${ICONS.search}<span class="aloud">Filter swarms</span><input
    class="input" type="search" autocomplete="off" spellcheck="false" placeholder="Part of an id"
    .value=${live(filter)} @input=${onInput}></label>`;
}

/**
 * @param {SwarmRow[]} rows
 * @param {{ filter: string, selected: string | null, context: Context }} given
 */
function cards(rows, { filter, selected, context }) {
  const found = rows.filter(({ id }) => id.toLowerCase().includes(filter.trim().toLowerCase()));
  const rest = found.length - MOST;
  return html`<div class="swarm-cards" role="group" aria-label="Swarms">
    ${found.slice(0, MOST).map((swarm) => card(swarm, swarm.id === selected, context))}
    ${rest > 0 ? html`<span class="faint">+${rest} more: type a part of an id.</span>` : nothing}
    ${found.length === 0 ? html`<span class="faint">No swarm has “${filter}” in its id.</span>` : nothing}
  </div>`;
}

/**
 * @param {SwarmRow} swarm
 * @param {boolean} isShown
 * @param {Context} context
 */
function card({ id, topology, agentCount, activeAgents, open, forgotten }, isShown, { go }) {
  return html`<button type="button" class="swarm-card" aria-pressed=${isShown}
    @click=${() => go("swarms", { selected: id })}>
    <span class="swarm-card-name cut" title=${id}>${id}</span>
    <span class="faint cut">${topology ?? "no topology told"}</span>
    <span class="swarm-card-figures"><span><b>${activeAgents ?? "–"}</b> of ${agentCount ?? "–"} active</span>
      ${open > 0
        ? html`<span class="chip" title="Proposals and decisions that are open">${open}${forgotten > 0 ? "+" : ""} open</span>`
        : nothing}</span>
  </button>`;
}
