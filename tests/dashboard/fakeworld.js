// @ts-check
/** A made-up swarm that changes: what FakeFeed tells of. The same seed gives the same world. */

const STATUSES = ["idle", "busy", "busy", "busy", "idle", "error", "offline"];
const STATES = ["pending", "in-progress", "in-progress", "completed", "completed", "failed", "cancelled", "closed"];
const WORK = ["reading", "writing tests", "waiting for a model", "linting", "reviewing", "compiling"];
const TOPOLOGIES = ["mesh", "hierarchical", "hierarchical-mesh", "adaptive"];
const ROLES = ["queen", "coder", "tester", "reviewer", "scout"];

/** @param {number} seed @returns {() => number} numbers from 0 to 1 */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

/** @typedef {import("../../broker/dashboard/model/slices.js").AgentRow} AgentRow */
/** @typedef {import("../../broker/dashboard/model/slices.js").TaskRow} TaskRow */

export class FakeWorld {
  /** @param {{agents?: number, tasks?: number, swarms?: number, seed?: number}} [size] */
  constructor({ agents = 5000, tasks = 1200, swarms = 5, seed = 7 } = {}) {
    this.random = randomNumbers(seed);
    this.seq = 0;
    this.rate = 20000;
    /** @type {AgentRow[]} */
    this.agents = Array.from({ length: agents }, (_, index) => this.#agent(index));
    /** @type {TaskRow[]} */
    this.tasks = Array.from({ length: tasks }, (_, index) => this.#task(index));
    this.swarms = Array.from({ length: swarms }, (_, index) => this.#swarm(index));
    this.clients = Array.from({ length: 48 }, (_, index) => this.#client(index));
    /** @type {Map<string, {seq: number, tsMs: number, data: unknown, count: number, rate: number}>} */
    this.topics = new Map();
    for (const agent of this.agents) {
      this.publish(`agent.${agent.id}.status`, { agentId: agent.id, status: agent.status, message: agent.message });
      this.publish(`agent.${agent.id}.health`, { agentId: agent.id, metrics: { cpu: agent.cpu, memory: agent.memory } });
    }
    for (const task of this.tasks) {
      this.publish(`task.${task.id}.progress`, { taskId: task.id, progress: task.progress, status: task.state });
    }
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** @param {string} topic @param {unknown} data */
  publish(topic, data) {
    this.seq += 1;
    const count = (this.topics.get(topic)?.count ?? 0) + 1;
    const event = { topic, seq: this.seq, tsMs: Date.now(), data, count, rate: 4 * this.random() };
    this.topics.set(topic, event);
    return event;
  }

  /** A tenth of a second passes. @returns {ReturnType<FakeWorld["publish"]>[]} what was published */
  step() {
    const events = [];
    for (let index = 0; index < 60; index += 1) {
      const agent = this.pick(this.agents);
      agent.status = this.pick(STATUSES);
      agent.message = agent.status === "busy" ? this.pick(WORK) : null;
      agent.cpu = Math.round(this.random() * 100);
      agent.sinceMs = agent.tsMs = Date.now();
      events.push(this.publish(`agent.${agent.id}.status`, { agentId: agent.id, status: agent.status }));
    }
    for (let index = 0; index < 10; index += 1) {
      const task = this.pick(this.tasks);
      if (task.state !== "in-progress") continue;
      task.progress = Math.min(100, (task.progress ?? 0) + 5);
      if (task.progress === 100) Object.assign(task, { state: "completed", endedMs: Date.now() });
      events.push(this.publish(`task.${task.id}.progress`, { taskId: task.id, progress: task.progress }));
    }
    for (const swarm of this.swarms) this.#vote(swarm);
    this.rate = 20000 + 800 * (this.random() - 0.5);
    this.seq += 1900;
    return events;
  }

  /** @param {number} index @returns {AgentRow} */
  #agent(index) {
    const status = this.pick(STATUSES);
    const now = Date.now();
    return {
      id: `${this.pick(ROLES)}-${String(index).padStart(4, "0")}`,
      status,
      message: status === "busy" ? this.pick(WORK) : null,
      healthy: status !== "error",
      cpu: Math.round(this.random() * 100),
      memory: Math.round(this.random() * 2 ** 31),
      sinceMs: now - Math.floor(this.random() * 600000),
      tsMs: now,
      being: status === "offline" ? "suspect" : "online",
      capabilities: this.random() < 0.5 ? ["python", "review"] : ["typescript"],
    };
  }

  /** @param {number} index @returns {TaskRow} */
  #task(index) {
    const state = this.pick(STATES);
    const created = Date.now() - Math.floor(this.random() * 3600000);
    const isEnded = !["pending", "in-progress"].includes(state);
    return {
      id: `build-${index}`,
      type: this.pick(["compile", "test", "review", "lint"]),
      state,
      progress: state === "completed" ? 100 : Math.floor(this.random() * 95),
      message: this.pick(WORK),
      agentId: state === "pending" ? null : this.agents[index % this.agents.length].id,
      queue: this.pick(["default", "code", "review"]),
      attempt: state === "pending" ? null : 1,
      createdMs: created,
      startedMs: state === "pending" ? null : created + 900,
      endedMs: isEnded ? created + 90000 : null,
      error: state === "failed" ? "TypeError: expected a list, got None" : null,
    };
  }

  /** @param {number} index */
  #swarm(index) {
    const members = this.agents.slice(index * 23, index * 23 + 4 + index * 20);
    return {
      id: `swarm-${index + 1}`,
      topology: TOPOLOGIES[index % TOPOLOGIES.length],
      members: members.map((agent, place) => ({
        agentId: agent.id, role: place === 0 ? "queen" : ROLES[1 + (place % 4)], status: agent.status,
      })),
      proposals: Array.from({ length: 3 }, (_, place) => this.#proposal(place, members.map((agent) => agent.id))),
    };
  }

  /**
   * @param {number} index
   * @param {string[]} voters
   * @returns {import("../../broker/dashboard/model/slices.js").Proposal}
   */
  #proposal(index, voters) {
    return {
      id: `merge-${index + 1}`,
      type: "proposed",
      proposal: `{"merge":"branch-${index + 1}","into":"main"}`,
      proposer: voters[0],
      quorum: index === 0 ? "majority" : "two-thirds",
      voters: voters.slice(0, 9),
      votes: [],
      result: null,
      reason: null,
      deadlineMs: Date.now() + 60000,
      tsMs: Date.now(),
      hasEnded: false,
    };
  }

  /** @param {ReturnType<FakeWorld["swarms"]["at"]>} swarm */
  #vote(swarm) {
    const open = swarm?.proposals.find((proposal) => proposal.result === null);
    if (!open?.voters || this.random() > 0.1) return;
    if (open.votes.length < open.voters.length) {
      open.votes.push({ voter: open.voters[open.votes.length], vote: this.pick(["yes", "yes", "no", "abstain"]) });
      open.type = "voting";
      return;
    }
    const count = (/** @type {string} */ word) => open.votes.filter((vote) => vote.vote === word).length;
    const accepted = count("yes") > count("no");
    open.type = accepted ? "accepted" : "rejected";
    open.result = { accepted, votesFor: count("yes"), votesAgainst: count("no"), abstentions: count("abstain") };
    open.reason = "votes";
    open.hasEnded = true;
  }

  /** @param {number} index @returns {import("../../broker/dashboard/model/slices.js").ClientRow} */
  #client(index) {
    return {
      client_id: (index * 7919 + 1048576).toString(16).padStart(12, "0"),
      name: this.pick(["swarmwire-py", "code-swarm", "dashboard", "worker"]),
      version: "0.1.0",
      kind: this.pick(["agent", "dashboard", "worker"]),
      pid: 4000 + index,
      subject: this.pick(["ops", "alice", "ci"]),
      transport: this.pick(["websocket", "unix", "http"]),
      address: `10.0.0.${index}:5${index}12`,
      subscriptions: 1 + (index % 5),
      lag: index % 9 === 0 ? 1200 : 0,
      queue_bytes: index % 9 === 0 ? 81920 : 0,
      catching_up: index % 9 === 0,
      connected_at: Date.now() - index * 60000,
    };
  }
}
