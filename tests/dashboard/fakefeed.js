// @ts-check
/**
 * A Feed without worker and broker, over a made-up world: views are drawn and tested with it.
 * `tick()` lets a tenth of a second pass; `run()` does so by the clock until `stop()`.
 */

import { FakeWorld } from "./fakeworld.js";

/** @typedef {import("../../broker/dashboard/model/slices.js").Queries} Queries */
/** @typedef {import("../../broker/dashboard/model/slices.js").Slices} Slices */
/** @typedef {import("../../broker/dashboard/model/slices.js").SliceName} SliceName */
/** @typedef {import("../../broker/dashboard/model/slices.js").TailEvent} TailEvent */

const EPOCH = "5d1f0a9c3e7b2468";

/** @param {Iterable<string>} words @returns {Record<string, number>} */
function countOf(words) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/**
 * @template {object} T
 * @param {T[]} rows
 * @param {string} sort
 * @param {Record<string, string>} fields
 * @returns {T[]}
 */
function sorted(rows, sort, fields) {
  const column = sort.replace("-", "");
  const field = /** @type {keyof T} */ (fields[column] ?? column);
  const sign = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => sign * compare(a[field], b[field]));
}

/** @param {unknown} a @param {unknown} b */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a ?? "").localeCompare(String(b ?? ""));
}

export class FakeFeed {
  /** @type {Map<SliceName, any>} */
  #wants = new Map();
  /** @type {Map<SliceName, Set<(slice: any) => void>>} */
  #listeners = new Map();
  /** @type {TailEvent[]} */
  #tail = [];
  /** @type {ReturnType<typeof setInterval>|null} */
  #timer = null;

  /**
   * @param {ConstructorParameters<typeof FakeWorld>[0] & {phase?:
   *   import("../../broker/dashboard/model/slices.js").Phase, may?:
   *   Partial<import("../../broker/dashboard/model/slices.js").May>}} [options]
   */
  constructor({ phase = "ready", may = {}, ...size } = {}) {
    this.world = new FakeWorld(size);
    /** @type {import("../../broker/dashboard/model/slices.js").Phase} */
    this.phase = phase;
    this.may = { publish: true, call: true, observe: true, admin: true, ...may };
    /** @type {import("../../broker/dashboard/model/slices.js").Problem|null} */
    this.error = null;
    /** @type {{do: string, [field: string]: unknown}[]} what was asked of the broker, for tests to look at */
    this.asked = [];
  }

  /** @param {{url?: string, token?: string|null}} login */
  connect(login) {
    this.asked.push({ do: "connect", ...login });
    this.phase = "ready";
    this.#tell();
  }

  logout() {
    this.asked.push({ do: "logout" });
    this.phase = "login";
    this.#tell();
  }

  /** @template {SliceName} N @param {N} name @param {Queries[N]|null} query */
  want(name, query) {
    if (query === null) this.#wants.delete(name);
    else this.#wants.set(name, query);
    queueMicrotask(() => this.#tellOne(name));
  }

  /**
   * @template {SliceName} N
   * @param {N} name
   * @param {(slice: Slices[N]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set.add(listener));
    return () => set.delete(listener);
  }

  /** @param {string} method @param {unknown} [params] @returns {Promise<unknown>} */
  async call(method, params) {
    this.asked.push({ do: "call", method, params });
    return { method, params };
  }

  /** @param {string} topic @param {unknown} data @param {object} [options] @returns {Promise<unknown>} */
  async publish(topic, data, options) {
    this.asked.push({ do: "publish", topic, data, options });
    return { seq: this.world.publish(topic, data).seq, duplicate: false };
  }

  tick() {
    for (const event of this.world.step()) this.#keep(event);
    this.#tell();
  }

  run() {
    this.#timer ??= setInterval(() => this.tick(), 100);
  }

  stop() {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tell() {
    for (const name of this.#wants.keys()) this.#tellOne(name);
  }

  /** @param {SliceName} name */
  #tellOne(name) {
    const query = this.#wants.get(name);
    if (query === undefined) return;
    const slice = this.slice(name, query);
    for (const listener of this.#listeners.get(name) ?? []) listener(slice);
  }

  /** @param {ReturnType<FakeWorld["publish"]>} event */
  #keep(event) {
    const json = JSON.stringify(event.data);
    const { seq, topic, tsMs } = event;
    this.#tail.push({ key: seq, gap: null, seq, tsMs, topic, from: "ops", skipped: 3, preview: json, json, isCut: false });
    if (this.#tail.length > 1000) this.#tail.shift();
  }

  /** @template {SliceName} N @param {N} name @param {Queries[N]} query @returns {Slices[N]} */
  slice(name, query) {
    const makers = {
      status: this.#status, overview: this.#overview, topics: this.#topics, topic: this.#topic, agents: this.#agents,
      tasks: this.#tasks, swarms: this.#swarms, clients: this.#clients, tail: this.#tailRows,
    };
    return /** @type {any} */ (makers)[name].call(this, query);
  }

  /** @returns {Slices["status"]} */
  #status() {
    const isReady = this.phase === "ready";
    const granted = ["#"];
    const { world } = this;
    return {
      phase: this.phase, attempt: isReady ? 0 : 3, retryAtMs: this.phase === "reconnecting" ? Date.now() + 4000 : null,
      error: this.error, server: { id: "b7e23ec29af2", name: "swarmwire", version: "0.1.0", pid: 4711 },
      identity: { subject: "ops", expiresAtMs: null, publish: granted, subscribe: granted, call: granted },
      durability: "accepted", transport: "websocket", clientId: "3fa85f649b1c", head: `${EPOCH}:${world.seq}`,
      seen: world.seq, rate: world.rate, gapCount: 1, may: this.may, dropped: {}, conflateMs: 1000, live: true,
      gaps: [{ reason: "evicted", from: `${EPOCH}:10`, to: `${EPOCH}:80`, dropped: null, atMs: Date.now() - 60000 }],
      counts: {
        topics: world.topics.size, agents: world.agents.length, tasks: world.tasks.length,
        swarms: world.swarms.length, clients: world.clients.length,
      },
    };
  }

  /** @returns {Slices["overview"]} */
  #overview() {
    const now = Math.floor(Date.now() / 1000);
    const t = Array.from({ length: 900 }, (_, index) => now - 899 + index);
    const wave = (/** @type {number} */ middle, /** @type {number} */ swing) =>
      t.map((second) => middle + swing * Math.sin(second / 40) + (swing / 5) * Math.sin(second * 1.7));
    return {
      series: {
        t, publishes: wave(20000, 3000), deliveries: wave(41000, 6000), p50: wave(0.8, 0.2), p99: wave(6, 2),
        connections: t.map(() => this.world.clients.length), errors: t.map((second) => (second % 97 === 0 ? 2 : 0)),
      },
      denied: null, seen: { t, events: wave(20000, 3000) }, roundTripMs: 1.4,
      gauges: { connections: 48, subscriptions: 131, log_events: 100000, log_bytes: 31457280, topics: 11200 },
      daemon: { status: "running", started: Date.now() - 86400000, uptime: 86400000, components: { log: "ok" } },
      busiest: [...this.world.topics.keys()].slice(0, 10).map((topic, index) => ({ topic, rate: 40 - 3 * index })),
    };
  }

  /** @param {Queries["topics"]} query @returns {Slices["topics"]} */
  #topics({ open, filter = "", offset, limit }) {
    const paths = [...this.world.topics.keys()].filter((topic) => topic.includes(filter)).sort();
    const kids = new Map();
    for (const path of paths) {
      const segments = path.split(".");
      for (let depth = segments.length; depth > 0; depth -= 1) {
        const parent = segments.slice(0, depth - 1).join(".");
        kids.set(parent, (kids.get(parent) ?? new Set()).add(segments.slice(0, depth).join(".")));
      }
    }
    /** @type {import("../../broker/dashboard/model/slices.js").TopicRow[]} */
    const rows = [];
    const visit = (/** @type {string} */ path, /** @type {number} */ depth) => {
      const event = this.world.topics.get(path);
      const isOpen = filter !== "" || open.includes(path);
      rows.push({
        path, name: path.split(".").at(-1) ?? "", depth, isTopic: event !== undefined, kids: kids.get(path)?.size ?? 0,
        isOpen: isOpen && kids.has(path), rate: event?.rate ?? 812.5, count: event?.count ?? 4711, seq: event?.seq ?? null,
        tsMs: event?.tsMs ?? null, preview: event ? JSON.stringify(event.data).slice(0, 200) : null,
      });
      if (isOpen) for (const kid of kids.get(path) ?? []) visit(kid, depth + 1);
    };
    for (const path of kids.get("") ?? []) visit(path, 0);
    return { total: rows.length, topics: paths.length, rows: rows.slice(offset, offset + limit) };
  }

  /** @param {Queries["topic"]} query @returns {Slices["topic"]} */
  #topic({ path }) {
    const event = path === null ? undefined : this.world.topics.get(path);
    const json = event ? JSON.stringify(event.data) : null;
    return {
      topic: path, seq: event?.seq ?? null, tsMs: event?.tsMs ?? null, from: event ? "ops" : null,
      headers: event ? { trace: "4bf92f3577b34da6" } : null, json, isCut: false, bytes: json?.length ?? null,
      rate: event?.rate ?? 0, count: event?.count ?? 0,
    };
  }

  /** @param {Queries["agents"]} query @returns {Slices["agents"]} */
  #agents({ filter = "", status = null, sort = "id", offset, limit, selected = null }) {
    const found = this.world.agents.filter(
      (agent) => agent.id.includes(filter) && (status === null || agent.status === status),
    );
    const rows = sorted(found, sort, { since: "sinceMs", ts: "tsMs" });
    const row = this.world.agents.find((agent) => agent.id === selected);
    const t = Array.from({ length: 120 }, (_, index) => Math.floor(Date.now() / 1000) - 600 + index * 5);
    return {
      total: rows.length, byStatus: countOf(this.world.agents.map((agent) => agent.status)),
      rows: rows.slice(offset, offset + limit).map((agent) => ({ ...agent })),
      detail: row
        ? {
          id: row.id, row: { ...row },
          statuses: ["idle", "busy", "error", row.status].map((word, index) => ({
            tsMs: Date.now() - 400000 + 100000 * index, status: word, message: word === "busy" ? "reading" : null,
          })),
          health: {
            t, cpu: t.map((s) => 50 + 40 * Math.sin(s / 60)), memory: t.map((s) => 2 ** 30 + 2 ** 28 * Math.sin(s / 90)),
            healthy: t.map((s) => s % 37 !== 0),
          },
          metrics: { responseTime: 12.5, throughput: 40, errorRate: 0.01, queueSize: 3 },
          log: [{ tsMs: Date.now() - 5000, level: "info", message: "took task build-7" }, { tsMs: Date.now(), level: "warn", message: "slow model" }],
          metadata: '{"model":"gpt-4.1","host":"node-3"}',
        }
        : null,
    };
  }

  /** @param {Queries["tasks"]} query @returns {Slices["tasks"]} */
  #tasks({ filter = "", state = null, sort = "-created", offset, limit, selected = null }) {
    const found = this.world.tasks.filter((task) => task.id.includes(filter) && (state === null || task.state === state));
    const rows = sorted(found, sort, { agent: "agentId", created: "createdMs", ended: "endedMs" });
    const row = this.world.tasks.find((task) => task.id === selected);
    const created = row?.createdMs ?? 0;
    return {
      total: rows.length, byState: countOf(this.world.tasks.map((task) => task.state)),
      rows: rows.slice(offset, offset + limit).map((task) => ({ ...task })),
      detail: row
        ? {
          id: row.id, row: { ...row }, priority: 5, durationMs: 90000, reason: null, dead: row.state === "failed",
          timeline: [
            { tsMs: created, event: "created", text: "compile, queue default" },
            { tsMs: created + 900, event: "assigned", text: row.agentId ?? "" },
            { tsMs: created + 30000, event: "progress", text: "40 % · parsing" },
            { tsMs: created + 90000, event: row.state, text: row.error ?? "" },
          ],
          retriedFrom: null, result: row.state === "completed" ? '{"files":12}' : null, metadata: null,
        }
        : null,
      queues: ["default", "code", "review"].map((name, index) => ({
        name, status: index === 2 ? "paused" : "open", pending: 12 * index, running: 3, completed: 900, failed: 4,
        cancelled: 1, closed: 0, dead: 2,
      })),
      workers: { total: 12, active: 9, idle: 2, suspect: 1 }, denied: null,
    };
  }

  /** @param {Queries["swarms"]} query @returns {Slices["swarms"]} */
  #swarms({ selected }) {
    const swarm = this.world.swarms.find(({ id }) => id === selected);
    return {
      rows: this.world.swarms.map(({ id, topology, members, proposals }) => ({
        id, topology, agentCount: members.length, tsMs: Date.now(), queueSize: 4, healthScore: 92,
        activeAgents: members.filter(({ status }) => status === "busy").length,
        open: proposals.filter(({ result }) => result === null).length,
        forgotten: 0,
      })),
      detail: swarm
        ? {
          id: swarm.id, topology: swarm.topology, members: swarm.members, proposals: structuredClone(swarm.proposals),
          decisions: [{
            id: "model", type: "decided", question: "Which model?", options: ["small", "large"], voters: null,
            votes: [{ voter: "queen-0000", option: "large", confidence: 0.9 }],
            result: { selectedOption: "large", confidence: 0.9 }, reason: "votes", deadlineMs: null, tsMs: Date.now(),
            hasEnded: true,
          }],
          forgotten: { proposals: 0, decisions: 0 },
          log: [{ tsMs: Date.now(), event: "coordination", text: "task-assignment" }],
        }
        : null,
    };
  }

  /** @param {Queries["clients"]} query @returns {Slices["clients"]} */
  #clients({ filter = "", sort = "name", offset, limit, selected = null }) {
    if (!this.may.observe) {
      return { denied: "The permission `observe` or `admin` is missing.", total: 0, all: 0, rows: [], detail: null };
    }
    const found = this.world.clients.filter(({ name, subject }) => `${name} ${subject}`.includes(filter));
    const row = this.world.clients.find((client) => client.client_id === selected);
    const subscriptions = [{ sub: "agent.*.status", pattern: "agent.*.status", mode: "conflate", live: true }];
    return {
      denied: null, total: found.length, all: this.world.clients.length,
      rows: sorted(found, sort, {}).slice(offset, offset + limit), detail: row ? { ...row, rows: subscriptions } : null,
    };
  }

  /** @param {Queries["tail"]} query @returns {Slices["tail"]} */
  #tailRows({ limit, offset = 0 }) {
    const end = this.#tail.length - offset;
    return {
      error: null, rows: this.#tail.slice(Math.max(0, end - limit), end), total: this.#tail.length,
      position: `${EPOCH}:${this.world.seq}`, more: false, older: null, newer: null, held: 0, loading: false,
    };
  }
}
