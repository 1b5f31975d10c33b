// One swarm: drawn as its topology, with its members, its votes and what happened in it.

import { sizeBar } from "../parts/bar.js";
import { pill } from "../parts/pill.js";
import { timeline } from "../parts/timeline.js";
import { topologyDrawing } from "../parts/topology.js";
import { html, nothing } from "../template.js";
import { decisionCard } from "./decision.js";
import { proposalCard } from "./proposal.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").SwarmDetail} SwarmDetail */
/** @typedef {import("../model/slices.js").SwarmRow} SwarmRow */
/** @typedef {import("../model/slices.js").Member} Member */

const MOST_MEMBERS = 60;
const MOST_VOTES = 12;

/**
 * @param {SwarmDetail} swarm
 * @param {SwarmRow[]} rows
 * @param {Context} context
 */
export function swarmDetail(swarm, rows, context) {
  const open = (/** @type {string} */ agentId) => context.go("agents", { selected: agentId });
  const { id, members, log } = swarm;
  const topology = swarm.topology ?? "";
  return html`<div class="swarm">
    <div class="swarm-main">
      <section class="card">
        <div class="card-head"><h2 class="cut" title=${id}>${id}</h2>
          ${topology ? html`<span class="chip">${topology}</span>` : nothing}
          ${state(rows.find((row) => row.id === id), context)}</div>
        ${members.length === 0
          ? html`<p class="card-body faint">No agent has told that it joined, on
              <code>swarm.&lt;id&gt;.agent-joined</code>.</p>`
          : topologyDrawing({ topology, members, open })}
      </section>
      ${memberList(members, open)}
    </div>
    <div class="swarm-side">
      ${votes("Proposals", "swarm.propose", swarm.proposals, swarm.forgotten.proposals, (proposal) => proposalCard(proposal, context))}
      ${votes("Decisions", "swarm.decide", swarm.decisions, swarm.forgotten.decisions, (decision) => decisionCard(decision, context))}
      <section class="card"><div class="card-head"><h2>Log</h2></div><div class="card-body">
        ${log.length === 0
          ? html`<p class="faint">The log of the broker holds nothing that happened in it.</p>`
          : timeline(log, `Log of ${id}`)}
      </div></section>
    </div>
  </div>`;
}

/**
 * @param {SwarmRow | undefined} row
 * @param {Context} context
 */
function state(row, { format }) {
  if (row === undefined) return nothing;
  const { queueSize, healthScore } = row;
  return html`<span class="swarm-state end faint">
    ${queueSize === null ? nothing : html`<span><b>${format.count(queueSize)}</b> queued</span>`}
    ${healthScore === null ? nothing : html`<span class="swarm-health">health
      <b>${Math.round(healthScore)} %</b>${sizeBar(healthScore, 100)}</span>`}
  </span>`;
}

/**
 * @param {Member[]} members
 * @param {(agentId: string) => void} open
 */
function memberList(members, open) {
  if (members.length === 0) return nothing;
  const rest = members.length - MOST_MEMBERS;
  return html`<section class="card">
    <div class="card-head"><h2>Members</h2><span class="faint">${members.length}</span></div>
    <ul class="members card-body">${members.slice(0, MOST_MEMBERS).map(({ agentId, role, status }) => html`<li>
      <button type="button" class="link cut" title=${agentId}
        @click=${() => open(agentId)}>${agentId}</button>
      <span class="faint cut">${role ?? ""}</span>${pill(status)}
    </li>`)}</ul>
    ${rest > 0 ? html`<p class="members-rest faint">${rest} more are not listed.</p>` : nothing}
  </section>`;
}

/**
 * @template Item
 * @param {string} title
 * @param {string} method that makes one
 * @param {Item[]} items newest first
 * @param {number} forgotten how many more there were
 * @param {(item: Item) => unknown} card
 */
function votes(title, method, items, forgotten, card) {
  const count = items.length + forgotten;
  const rest = count - MOST_VOTES;
  return html`<section class="card">
    <div class="card-head"><h2>${title}</h2>
      ${count > 0 ? html`<span class="faint">${count}</span>` : nothing}</div>
    <div class="card-body votes">
      ${items.length === 0
        ? html`<p class="faint">None yet. A call of <code>${method}</code> makes one.</p>`
        : items.slice(0, MOST_VOTES).map(card)}
      ${rest > 0 ? html`<p class="faint">${rest} older ones are not shown.</p>` : nothing}
    </div>
  </section>`;
}
