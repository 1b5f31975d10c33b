/** What is known of one swarm: its topology, who is in it, what is voted on. */

import {
  makeDecision, makeProposal, takeChoice, takeConsensus, takeDecision, takeVote,
} from "./ballots.js";
import { cut, previewOf } from "./jsontext.js";
import { fieldsOf, numberOf } from "./event.js";
import { Ring } from "./ring.js";
import { Roll } from "./roll.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./slices.js").SwarmRow} SwarmRow */
/** @typedef {import("./slices.js").SwarmDetail} SwarmDetail */

const LOG = 200;
const BALLOTS = 50;
const MEMBERS = 5000;
const TEXT = 200;

/** @param {unknown} value @returns {string|null} */
function nameOf(value) {
  return typeof value === "string" ? cut(value, TEXT) : null;
}

/**
 * @template T
 * @param {Map<string, T>} map
 * @param {string} id
 * @param {(id: string) => T} make
 * @param {number} most
 * @returns {T}
 */
function entry(map, id, make, most) {
  const there = map.get(id);
  if (there !== undefined) return there;
  const made = make(id);
  map.set(id, made);
  if (map.size > most) map.delete(/** @type {string} */ (map.keys().next().value));
  return made;
}

export class Swarm {
  tsMs = 0;
  hasEnded = false;
  /** @type {string|null} */
  topology = null;
  /** @type {number|null} */
  #agentCount = null;
  /** @type {number|null} */
  #activeAgents = null;
  /** @type {number|null} */
  #queueSize = null;
  /** @type {number|null} */
  #healthScore = null;
  /** @type {Map<string, string|null>} roles by the ids of agents */
  #members = new Map();
  #proposals = new Roll(makeProposal, BALLOTS);
  #decisions = new Roll(makeDecision, BALLOTS);
  /** @type {Ring<{tsMs: number, event: string, text: string}>} */
  #log = new Ring(LOG);

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /**
   * @param {string} name
   * @param {string|null} item  proposal or decision, of the events that have one
   * @param {TopicEvent} event
   */
  take(name, item, event) {
    this.tsMs = Math.max(this.tsMs, event.ts);
    if (item === null) this.#takeNews(name, fieldsOf(event.data), event.ts);
    else this.#takeBallot(name, item, event);
  }

  /** @returns {SwarmRow} */
  row() {
    const ballots = [...this.#proposals.all, ...this.#decisions.all];
    return {
      id: this.id,
      topology: this.topology,
      agentCount: this.#agentCount ?? (this.#members.size || null),
      activeAgents: this.#activeAgents,
      queueSize: this.#queueSize,
      healthScore: this.#healthScore,
      open: ballots.filter(({ hasEnded }) => !hasEnded).length,
      forgotten: this.#proposals.dropped + this.#decisions.dropped,
      tsMs: this.tsMs,
    };
  }

  /** @param {(agentId: string) => string} statusOf @returns {SwarmDetail} */
  detail(statusOf) {
    const newest = (/** @type {{tsMs: number}} */ a, /** @type {{tsMs: number}} */ b) => b.tsMs - a.tsMs;
    return {
      id: this.id,
      topology: this.topology,
      members: Array.from(this.#members, ([agentId, role]) => ({ agentId, role, status: statusOf(agentId) })),
      proposals: [...this.#proposals.all].sort(newest),
      decisions: [...this.#decisions.all].sort(newest),
      forgotten: { proposals: this.#proposals.dropped, decisions: this.#decisions.dropped },
      log: this.#log.slice(),
    };
  }

  /** @param {string} name @param {Record<string, unknown>} data @param {number} tsMs */
  #takeNews(name, data, tsMs) {
    switch (name) {
      case "topology":
        this.topology = nameOf(data.newTopology) ?? this.topology;
        return this.#note(name, [data.oldTopology, data.newTopology, data.reason], tsMs);
      case "agent-joined":
        entry(this.#members, nameOf(data.agentId) ?? "", () => nameOf(data.role), MEMBERS);
        return this.#note("joined", [data.agentId, data.role], tsMs);
      case "agent-left":
        this.#members.delete(nameOf(data.agentId) ?? "");
        return this.#note("left", [data.agentId, data.reason], tsMs);
      case "state":
        return this.#takeState(fieldsOf(data.state));
      case "coordination":
        if (data.data === undefined) return this.#note(name, [data.type], tsMs);
        return this.#note(name, [data.type, previewOf(data.data)], tsMs);
      default:
        return undefined;
    }
  }

  /** @param {Record<string, unknown>} state */
  #takeState(state) {
    this.topology = nameOf(state.topology) ?? this.topology;
    this.#agentCount = numberOf(state.agentCount);
    this.#activeAgents = numberOf(state.activeAgents);
    this.#queueSize = numberOf(state.queueSize);
    this.#healthScore = numberOf(state.healthScore);
  }

  /** @param {string} name @param {string} item @param {TopicEvent} event */
  #takeBallot(name, item, event) {
    switch (name) {
      case "consensus":
        return takeConsensus(this.#proposals.of(item), event);
      case "vote":
        return takeVote(this.#proposals.of(item), event);
      case "decision":
        return takeDecision(this.#decisions.of(item), event);
      case "choice":
        return takeChoice(this.#decisions.of(item), event);
      default:
        return undefined;
    }
  }

  /** @param {string} event @param {unknown[]} parts @param {number} tsMs */
  #note(event, parts, tsMs) {
    const text = parts.flatMap((part) => nameOf(part) ?? []).join(" · ");
    this.#log.push({ tsMs, event, text: cut(text, TEXT) });
  }
}
