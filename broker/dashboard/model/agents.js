/** The agents, as their channel and the registry tell of them, and the slice of that name. */

import { Agent } from "./agent.js";
import { Roster } from "./roster.js";

/** @typedef {import("./slices.js").AgentsQuery} AgentsQuery */
/** @typedef {import("./slices.js").AgentsSlice} AgentsSlice */

const MOST = 20000;
const STATUSES = ["idle", "busy", "error", "offline", "unknown"];
const EVENTS = ["status", "health", "metrics", "log", "started", "stopped", "error"];

/** @type {Record<string, (agent: Agent) => string|number|null>} */
const COLUMNS = {
  id: (agent) => agent.id,
  status: (agent) => agent.status,
  cpu: (agent) => agent.cpu,
  memory: (agent) => agent.memory,
  since: (agent) => agent.sinceMs,
  ts: (agent) => agent.tsMs,
};

/** @extends {Roster<Agent>} */
export class Agents extends Roster {
  #registry = this.telling((agent, event) => agent.register(event));
  #channels = new Map(
    EVENTS.map((name) => [name, this.telling((agent, event) => agent.take(name, event))]),
  );

  /**
   * @param {import("./values.js").Values} values  keeps what they say of themselves
   * @param {number} [most]
   */
  constructor(values, most = MOST) {
    super({
      make: (id) => new Agent(id, values),
      most,
      stateOf: (agent) => agent.status,
      states: STATUSES,
      columns: COLUMNS,
    });
  }

  /**
   * Who takes the events of `agent.<id>.<name>`.
   * @param {string} id
   * @param {string} name
   */
  channel(id, name) {
    return this.sink(id, this.#channels.get(name));
  }

  /** Who takes what the registry says of the agent. @param {string} id */
  registry(id) {
    return this.sink(id, this.#registry);
  }

  /** @param {AgentsQuery} query @param {number} nowMs @returns {AgentsSlice} */
  slice({ filter = "", status = null, sort = "id", offset, limit, selected = null }, nowMs) {
    const test = (/** @type {Agent} */ agent) =>
      (status === null || this.countedAs(agent) === status) &&
      (filter === "" || agent.id.includes(filter) || (agent.message?.includes(filter) ?? false));
    const shown = { sort, offset, limit, selected };
    return { byStatus: this.counts, ...this.listing(shown, JSON.stringify([filter, status]), test, nowMs) };
  }
}
