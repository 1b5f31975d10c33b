// A swarm as its topology: agents as nodes, marked by their status, and what joins them.

import { shorten } from "../format.js";
import { guard, html, nothing, svg } from "../template.js";
import { glyphAt, toneOf } from "./pill.js";
import { layout, nearness, roomOf } from "./topologylayout.js";

/** @typedef {import("./topologylayout.js").Member} Member */
/** @typedef {import("./topologylayout.js").Node} Node */
/** @typedef {import("./topologylayout.js").Edge} Edge */
/** @typedef {[number, number]} Place on the drawing */

/** The paper of a drawing, with room for names around. */
/** @typedef {{ width: number, height: number, margin: { x: number, y: number } }} Sheet */

/** On a phone it is drawn smaller and not shrunk: names stay readable. */
const PHONE = matchMedia("(width <= 720px)");

/** @type {Sheet} */
const WIDE = { width: 640, height: 400, margin: { x: 60, y: 36 } };
/** @type {Sheet} */
const NARROW = { width: 340, height: 340, margin: { x: 44, y: 36 } };

const LARGEST_RADIUS = 16;
const SMALLEST_RADIUS = 5;

/** A name is as long as its room lets it be; shorter than the least it tells nothing and is left out. */
const LETTER_WIDTH = 9;
const LINE_HEIGHT = 16;
const LONGEST_NAME = 18;
const SHORTEST_NAME = 7;

/**
 * @param {object} given
 * @param {string} given.topology
 * @param {readonly Member[]} given.members
 * @param {(agentId: string) => void} given.open
 */
export function topologyDrawing({ topology, members, open }) {
  const look = members.map(({ agentId, role, status }) => `${agentId} ${role} ${status}`).join("\n");
  return html`<figure class="topology">
    ${guard([topology, look, PHONE.matches], () => drawing(topology, members, open))}
    <figcaption class="faint">${caption(topology, members)}</figcaption>
  </figure>`;
}

/**
 * @param {string} topology
 * @param {readonly Member[]} members
 * @param {(agentId: string) => void} open
 */
function drawing(topology, members, open) {
  const { nodes, edges } = layout(topology, members);
  const sheet = PHONE.matches ? NARROW : WIDE;
  const places = nodes.map((node) => placeOf(node, sheet));
  const radius = Math.max(SMALLEST_RADIUS, Math.min(LARGEST_RADIUS, nearness(places) / 2 - 1.5));
  const letters = Math.min(LONGEST_NAME, Math.floor(roomOf(places, LINE_HEIGHT) / LETTER_WIDTH));
  return html`<svg class="topology-drawing" viewBox="0 0 ${sheet.width} ${sheet.height}" role="img"
    aria-label=${caption(topology, members)}>
    <path class="topology-edges" data-dense=${edges.length > 200} d=${edgePath(places, edges)} />
    ${nodes.map((node, at) => nodeMark(node, places[at], { radius, letters, open }))}
  </svg>`;
}

/**
 * One path for all edges: a mesh of 60 has 1,770.
 * @param {Place[]} places
 * @param {Edge[]} edges
 */
function edgePath(places, edges) {
  return edges.map(([a, b]) => `M${places[a].join(" ")}L${places[b].join(" ")}`).join("");
}

/**
 * @param {Node} node
 * @param {Place} place
 * @param {{ radius: number, letters: number, open: (agentId: string) => void }} look
 */
function nodeMark(node, [x, y], { radius, letters, open }) {
  const { member } = node;
  if (member === null) return restMark(node.more, x, y);
  const status = member.status ?? "unknown";
  const size = node.leads ? radius * 1.25 : radius;
  return svg`<g class="topology-node" data-tone=${toneOf(status)}
    @click=${() => open(member.agentId)}>
    ${node.leads ? svg`<circle class="topology-halo" cx=${x} cy=${y} r=${size + 4} />` : nothing}
    <circle cx=${x} cy=${y} r=${size} />
    ${glyphAt(toneOf(status), x, y, size / 9)}
    ${letters < SHORTEST_NAME ? nothing : nameMark(shorten(member.agentId, letters), x, y + size + 15)}
    <title>${member.agentId}: ${status}${member.role ? `, ${member.role}` : ""}</title>
  </g>`;
}

/**
 * @param {string} name
 * @param {number} x
 * @param {number} y
 */
function nameMark(name, x, y) {
  return svg`<text class="topology-name" x=${x} y=${y}>${name}</text>`;
}

/**
 * @param {number} more agents that are not drawn
 * @param {number} x
 * @param {number} y
 */
function restMark(more, x, y) {
  return svg`<g class="topology-rest"><rect x=${x - 36} y=${y - 12} width="72" height="24" rx="12" />
    <text class="topology-more" x=${x} y=${y} dy="0.35em">+${more} more</text>
    <title>${more} more agents</title></g>`;
}

/** @param {Node} node @param {Sheet} sheet @returns {Place} */
function placeOf({ x, y }, { width, height, margin }) {
  const [across, down] = [width / 2 - margin.x, height / 2 - margin.y];
  return [tenth(width / 2 + x * across), tenth(height / 2 - LINE_HEIGHT / 2 + y * down)];
}

/** @param {number} value */
function tenth(value) {
  return Math.round(value * 10) / 10;
}

/** @param {string} topology @param {readonly Member[]} members */
function caption(topology, members) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { status } of members) {
    const name = status ?? "unknown";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const states = [...counts].sort((a, b) => b[1] - a[1]).map(([status, number]) => `${number} ${status}`);
  return `${topology || "no topology told"}, ${members.length} agents: ${states.join(", ")}`;
}
