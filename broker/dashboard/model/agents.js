/** The agents, as their channel and the registry tell of them, and the slice of that name. */

import { Agent } from "./agent.js";
import { OrderedList } from "./orderedlist.js";
import { Roll } from "./roll.js";
import { RollSink } from "./rollsink.js";
import { Tally } from "./tally.js";
import { windowOf } from "./window.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
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

export class Agents {
  revision = 0;
  /** @type {Roll<Agent>} */
  #roll;
  #byStatus = new Tally(STATUSES, "other");
  /** @type {OrderedList<Agent>} */
  #list;
  #values;
  #registry = this.#counted((agent, event) => agent.register(event));
  #channels = new Map(
    EVENTS.map((name) => [name, this.#counted((agent, event) => agent.take(name, event))]),
  );

  /**
   * @param {import("./values.js").Values} values  keeps what they say of themselves
   * @param {number} [most]
   */
  constructor(values, most = MOST) {
    this.#values = values;
    this.#roll = new Roll(
      (id) => this.#make(id),
      most,
      (agent) => this.#forget(agent),
    );
    this.#list = new OrderedList(() => this.#roll.all, COLUMNS);
  }

  get size() {
    return this.#roll.size;
  }

  /**
   * Whether the rows that were last told are behind: the page is to be told again though nothing comes any
   * more.
   */
  get isBehind() {
    return this.#list.isBehind;
  }

  get dropped() {
    return this.#roll.dropped;
  }

  /** @param {string} id @returns {Agent|undefined} */
  get(id) {
    return this.#roll.get(id);
  }

  /**
   * Who takes the events of `agent.<id>.<name>`.
   * @param {string} id
   * @param {string} name
   * @returns {import("./topicnode.js").Sink|null}
   */
  channel(id, name) {
    const tell = this.#channels.get(name);
    return tell === undefined ? null : new RollSink(this.#roll, id, tell);
  }

  /**
   * Who takes what the registry says of the agent.
   * @param {string} id
   * @returns {import("./topicnode.js").Sink}
   */
  registry(id) {
    return new RollSink(this.#roll, id, this.#registry);
  }

  /** @param {AgentsQuery} query @param {number} nowMs @returns {AgentsSlice} */
  slice({ filter = "", status = null, sort = "id", offset, limit, selected = null }, nowMs) {
    const test = (/** @type {Agent} */ agent) =>
      (status === null || this.#byStatus.nameOf(agent.status) === status) &&
      (filter === "" || agent.id.includes(filter) || (agent.message?.includes(filter) ?? false));
    const order = this.#list.order(sort, JSON.stringify([filter, status]), test, this.revision, nowMs);
    const { items, ...place } = windowOf(order, { offset, limit });
    return {
      ...place,
      byStatus: { ...this.#byStatus.counts },
      rows: items.map((agent) => agent.row()),
      detail: (selected === null ? undefined : this.#roll.get(selected))?.detail() ?? null,
    };
  }

  /**
   * What hands an event to an agent.
   * @param {(agent: Agent, event: TopicEvent) => void} tell
   * @returns {(agent: Agent, event: TopicEvent) => void}
   */
  #counted(tell) {
    return (agent, event) => {
      const before = agent.status;
      tell(agent, event);
      if (agent.status !== before) this.#byStatus.move(before, agent.status);
      this.revision += 1;
    };
  }

  /** @param {string} id */
  #make(id) {
    const agent = new Agent(id, this.#values);
    this.#byStatus.move(null, agent.status);
    return agent;
  }

  /** @param {Agent} agent */
  #forget(agent) {
    agent.forget();
    this.#byStatus.move(agent.status, null);
  }
}
