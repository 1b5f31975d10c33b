/**
 * The table of the channels: what each is about, its events, and what their topics say beside. An event that
 * is not here exists nowhere.
 */

import { AGENT_EVENTS } from "./agentrecords.js";
import { SWARM_EVENTS } from "./swarmrecords.js";
import { TASK_EVENTS } from "./taskrecords.js";

/**
 * @typedef {import("./record.js").RecordKind} RecordKind
 *
 * @typedef {object} Kind one channel
 * @property {string} name the first segment of its topics
 * @property {string} idField the field of its records that repeats the second
 * @property {ReadonlyMap<string, RecordKind>} events
 * @property {ReadonlyMap<string, string>} items the events with a fourth segment, and the field that repeats
 *   it
 * @property {ReadonlySet<string>} reserved the events that the broker's services alone publish
 */

/** @type {Kind} */
export const AGENT = {
  name: "agent",
  idField: "agentId",
  events: AGENT_EVENTS,
  items: new Map(),
  reserved: new Set(),
};

/** @type {Kind} */
export const TASK = {
  name: "task",
  idField: "taskId",
  events: TASK_EVENTS,
  items: new Map(),
  reserved: new Set(),
};

/** @type {Kind} */
export const SWARM = {
  name: "swarm",
  idField: "swarmId",
  events: SWARM_EVENTS,
  items: new Map([
    ["consensus", "proposalId"],
    ["vote", "proposalId"],
    ["decision", "decisionId"],
    ["choice", "decisionId"],
  ]),
  reserved: new Set(["consensus", "vote", "decision", "choice"]),
};

/** @type {ReadonlyMap<string, Kind>} */
export const KINDS = new Map([AGENT, TASK, SWARM].map((kind) => [kind.name, kind]));
