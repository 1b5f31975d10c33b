// Every agent: by status, how it is, since when; of one all that is known.

import { cpuText, memoryText } from "../parts/agentfigures.js";
import { sizeBar } from "../parts/bar.js";
import { empty } from "../parts/empty.js";
import { ICONS } from "../parts/icons.js";
import { Listing } from "../parts/listing.js";
import { pill } from "../parts/pill.js";
import { stateTiles } from "../parts/tiles.js";
import { html, nothing } from "../template.js";
import { AgentDetailPanel } from "./agentdetail.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").AgentRow} AgentRow */
/** @typedef {import("../model/slices.js").AgentsSlice} AgentsSlice */

const STATUSES = ["busy", "idle", "error", "offline"];

/**
 * @param {Context} context
 * @returns {View}
 */
export function agentsView(context) {
  const options = { name: "agents", label: "Agents", columns: columns(context), keyOf, sort: "id" };
  const listing = new Listing(context, options);
  const detail = new AgentDetailPanel(context);

  return {
    name: "agents",
    title: "Agents",
    icon: ICONS.agents,
    wants: () => ({ agents: { ...listing.query(), status: listing.chosen, selected: listing.selected } }),
    opened: (params) => listing.opened(params),
    closed: () => listing.closed(),
    draw: (slices) => {
      const slice = /** @type {AgentsSlice | undefined} */ (slices.agents);
      if (slice && isEmpty(slice)) return nobody();
      return html`<div class="fills">
        <div class="view-head"><h1>Agents</h1>${listing.bar("Part of an id or a message", slice?.total)}</div>
        ${stateTiles({
          label: "Agents by status",
          states: STATUSES,
          counts: slice?.byStatus ?? {},
          chosen: listing.chosen,
          choose: (status) => listing.choose(status),
        })}
        ${listing.draw(slice, "agent", slice?.detail ? detail.draw(slice.detail) : null)}
      </div>`;
    },
  };
}

/** @param {AgentRow} agent */
function keyOf({ id }) {
  return id;
}

/** @param {AgentsSlice} slice */
function isEmpty({ byStatus }) {
  return Object.values(byStatus).every((count) => count === 0);
}

function nobody() {
  return html`<div class="fills"><div class="view-head"><h1>Agents</h1></div>${empty({
    icon: ICONS.agents,
    title: "No agent has told its status",
    text: html`Agents appear here with their first event on <code>agent.&lt;id&gt;.status</code>, and their
      processor and memory with <code>agent.&lt;id&gt;.health</code>.`,
    command: `swarmwire pub agent.a1.status '{"agentId": "a1", "status": "busy", "message": "reading"}'`,
  })}</div>`;
}

/**
 * @param {Context} context
 * @returns {import("../parts/rows.js").Column<AgentRow>[]}
 */
function columns({ format }) {
  const figure = { sorts: true, falls: true };
  return [
    { name: "id", title: "Agent", sorts: true, cell: ({ id }) => html`<span class="name"
      title=${id}>${id}</span>` },
    { name: "status", title: "Status", sorts: true, cell: statusCell },
    { name: "message", title: "Message", cell: ({ message }) => message ?? "" },
    { name: "cpu", title: "CPU", ...figure, cell: ({ cpu }) => loadCell(cpu) },
    { name: "memory", title: "Memory", ...figure, cell: ({ memory }) => memoryText(memory, format) },
    { name: "being", title: "Registry", cell: ({ being }) => (being ? pill(being) : unknown()) },
    { name: "since", title: "Since", ...figure, cell: ({ sinceMs }) => format.ago(sinceMs) },
  ];
}

/** @param {AgentRow} agent */
function statusCell({ status, healthy }) {
  return html`${pill(status)}${healthy === false && status !== "error" ? pill("unhealthy") : nothing}`;
}

/** @param {number | null} cpu */
function loadCell(cpu) {
  if (cpu === null) return unknown();
  return html`${sizeBar(cpu, 100)}<span class="reading">${cpuText(cpu)}</span>`;
}

function unknown() {
  return html`<span class="faint">–</span>`;
}
