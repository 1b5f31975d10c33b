/** What is known of one agent: from its channel, and from the registry. */

import { FULL, cut, jsonOf } from "./jsontext.js";
import { fieldsOf, listOf, numberOf, textOf } from "./event.js";
import { HealthRing } from "./healthring.js";
import { Ring } from "./ring.js";
import { Kept } from "./values.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./slices.js").AgentRow} AgentRow */
/** @typedef {import("./slices.js").AgentDetail} AgentDetail */

/** Entries of each list in an agent's history. */
const HISTORY = 200;
/** Characters of a message. */
const MESSAGE = 500;
/** Capabilities told of one agent; the registry takes no more. */
const CAPABILITIES = 64;
/** Figures among its metrics. */
const FIGURES = 64;
/** Characters of the name of one, or of a capability. */
const NAME = 100;

/** @param {unknown} value @returns {string|null} */
function messageOf(value) {
  return typeof value === "string" ? cut(value, MESSAGE) : null;
}

/** What is a number among the metrics. @param {unknown} metrics @returns {Record<string, number>|null} */
function figuresOf(metrics) {
  /** @type {[string, number][]} */
  const found = [];
  for (const [name, value] of Object.entries(fieldsOf(metrics))) {
    if (typeof value === "number") found.push([cut(name, NAME), value]);
    if (found.length === FIGURES) break;
  }
  return found.length > 0 ? Object.fromEntries(found) : null;
}

export class Agent {
  status = "unknown";
  /** @type {string|null} */
  message = null;
  /** @type {boolean|null} */
  healthy = null;
  /** @type {number|null} */
  cpu = null;
  /** @type {number|null} */
  memory = null;
  /** @type {number|null} */
  sinceMs = null;
  tsMs = 0;
  /** @type {AgentRow["being"]} */
  being = null;
  /** @type {string[]} */
  capabilities = [];
  /** @type {Record<string, number>|null} */
  #metrics = null;
  #metadata = new Kept();
  #values;
  /** @type {Ring<AgentDetail["statuses"][number]>|null} */
  #statuses = null;
  /** @type {HealthRing|null} */
  #health = null;
  /** @type {Ring<AgentDetail["log"][number]>|null} */
  #log = null;

  /** @param {string} id @param {import("./values.js").Values} values  keeps what it says of itself */
  constructor(id, values) {
    this.id = id;
    this.#values = values;
  }

  get hasEnded() {
    return this.being === "gone" || this.status === "offline";
  }

  /** @param {string} name  of the event in the agents' channel @param {TopicEvent} event */
  take(name, event) {
    this.tsMs = Math.max(this.tsMs, event.ts);
    const data = fieldsOf(event.data);
    switch (name) {
      case "status":
        this.#describe(data.metadata);
        return this.#turn(textOf(data.status) ?? "unknown", messageOf(data.message), event.ts);
      case "health":
        return this.#feel(data, event.ts);
      case "metrics":
        this.#metrics = figuresOf(data.metrics);
        return undefined;
      case "log":
        return this.#note(textOf(data.level) ?? "info", data.message, event.ts);
      case "error":
        return this.#note("error", fieldsOf(data.error).message ?? data.error, event.ts);
      case "started":
        this.#describe(data.metadata);
        return this.#note("info", "started", event.ts);
      case "stopped": {
        const reason = messageOf(data.reason);
        this.#note("info", reason ? `stopped: ${reason}` : "stopped", event.ts);
        return this.#turn("offline", reason, event.ts);
      }
      default:
        return undefined;
    }
  }

  /** What the registry says of it. @param {TopicEvent} event */
  register(event) {
    this.tsMs = Math.max(this.tsMs, event.ts);
    const data = fieldsOf(event.data);
    const state = textOf(data.state);
    this.being = state === "online" || state === "suspect" ? state : "gone";
    const capabilities = listOf(data.capabilities).slice(0, CAPABILITIES);
    this.capabilities = capabilities.map((capability) => cut(textOf(capability) ?? "", NAME));
    this.#describe(data.metadata);
    const status = textOf(data.status);
    if (this.status === "unknown" && status !== null) this.#turn(status, null, event.ts);
  }

  /** It is not looked at any more. */
  forget() {
    this.#values.forget(this.#metadata);
  }

  /** @returns {AgentRow} */
  row() {
    const { id, status, message, healthy, cpu, memory, sinceMs, tsMs, being, capabilities } = this;
    return { id, status, message, healthy, cpu, memory, sinceMs, tsMs, being, capabilities };
  }

  /** @returns {AgentDetail} */
  detail() {
    return {
      id: this.id,
      row: this.row(),
      statuses: this.#statuses?.slice() ?? [],
      health: this.#health?.columns() ?? { t: [], cpu: [], memory: [], healthy: [] },
      metrics: this.#metrics,
      log: this.#log?.slice() ?? [],
      metadata: this.#metadata.data === undefined ? null : jsonOf(this.#metadata.data, FULL).text,
    };
  }

  /** @param {unknown} metadata  where it says nothing, what was said before stands */
  #describe(metadata) {
    if (metadata !== undefined && metadata !== null) this.#values.keep(this.#metadata, metadata);
  }

  /** @param {string} said @param {string|null} message @param {number} tsMs */
  #turn(said, message, tsMs) {
    const status = cut(said, MESSAGE);
    if (status === this.status && message === this.message) return;
    if (status !== this.status) this.sinceMs = tsMs;
    this.status = status;
    this.message = message;
    this.#statuses ??= new Ring(HISTORY);
    this.#statuses.push({ tsMs, status: this.status, message });
  }

  /** @param {Record<string, unknown>} data @param {number} tsMs */
  #feel(data, tsMs) {
    const metrics = fieldsOf(data.metrics);
    this.healthy = data.healthy === true;
    this.cpu = numberOf(metrics.cpu);
    this.memory = numberOf(metrics.memory);
    this.#health ??= new HealthRing();
    this.#health.push(tsMs, this.cpu, this.memory, this.healthy);
  }

  /** @param {string} level @param {unknown} message @param {number} tsMs */
  #note(level, message, tsMs) {
    this.#log ??= new Ring(HISTORY);
    this.#log.push({ tsMs, level: cut(level, 16), message: messageOf(message) ?? "" });
  }
}
