/** What is known of one task from the events of its channel. */

import { FULL, cut, jsonOf } from "./jsontext.js";
import { fieldsOf, numberOf } from "./event.js";
import { Ring } from "./ring.js";
import { Kept } from "./values.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./slices.js").TaskRow} TaskRow */
/** @typedef {import("./slices.js").TaskDetail} TaskDetail */

const HISTORY = 200;
const MESSAGE = 500;

/** The state a task is in after an event; `progress` and what is not here leave it as it is. */
const STATE_AFTER = new Map([
  ["created", "pending"],
  ["assigned", "in-progress"],
  ["started", "in-progress"],
  ["retrying", "pending"],
  ["resumed", "pending"],
  ["completed", "completed"],
  ["failed", "failed"],
  ["cancelled", "cancelled"],
  ["closed", "closed"],
]);
const ENDS = new Set(["completed", "failed", "cancelled", "closed"]);

/** The names of the events that tell of a task. */
export const TASK_EVENTS = new Set([...STATE_AFTER.keys(), "progress", "message", "error"]);

/** @param {unknown} value @returns {string|null} */
function shortOf(value) {
  return typeof value === "string" ? cut(value, MESSAGE) : null;
}

/** A fault as one line: a text, or an object with a message. @param {unknown} fault @returns {string|null} */
function faultOf(fault) {
  return shortOf(fault) ?? shortOf(fieldsOf(fault).message);
}

/** What there is of these, as one text. @param {(string|null)[]} parts */
function joined(...parts) {
  return parts.filter((part) => part !== null).join(" · ");
}

/**
 * A number in words; null for what is none.
 * @param {unknown} value
 * @param {(number: number) => string} say
 */
function quantity(value, say) {
  return typeof value === "number" ? say(value) : null;
}

/** @param {unknown} value @returns {string|null} */
function jsonOrNull(value) {
  return value === undefined || value === null ? null : jsonOf(value, FULL).text;
}

export class Task {
  tsMs = 0;
  state = "pending";
  /** @type {string|null} */
  type = null;
  /** @type {number|null} */
  progress = null;
  /** @type {string|null} */
  message = null;
  /** @type {string|null} */
  agentId = null;
  /** @type {string|null} */
  queue = null;
  /** @type {number|null} */
  attempt = null;
  /** @type {number|null} */
  createdMs = null;
  /** @type {number|null} */
  startedMs = null;
  /** @type {number|null} */
  endedMs = null;
  /** @type {string|null} */
  error = null;
  /** @type {number|null} */
  #priority = null;
  /** @type {number|null} */
  #duration = null;
  /** @type {string|null} */
  #reason = null;
  /** @type {string|null} */
  #retriedFrom = null;
  #dead = false;
  #result = new Kept();
  #metadata = new Kept();
  #values;
  /** @type {Ring<{tsMs: number, event: string, text: string}>} */
  #timeline = new Ring(HISTORY);

  /**
   * @param {string} id
   * @param {import("./values.js").Values} values  keeps what it is about, and its result
   */
  constructor(id, values) {
    this.id = id;
    this.#values = values;
  }

  get hasEnded() {
    return ENDS.has(this.state);
  }

  /** @param {string} name @param {TopicEvent} event */
  take(name, event) {
    const data = fieldsOf(event.data);
    this.tsMs = Math.max(this.tsMs, event.ts);
    this.#turn(name, event.ts);
    this.#read(name, data);
    this.#note(name, data, event.ts);
  }

  /** It is not looked at any more. */
  forget() {
    this.#values.forget(this.#result);
    this.#values.forget(this.#metadata);
  }

  /** @returns {TaskRow} */
  row() {
    const { id, type, state, progress, message, agentId, queue, attempt, error } = this;
    const { createdMs, startedMs, endedMs } = this;
    const times = { createdMs, startedMs, endedMs };
    return { id, type, state, progress, message, agentId, queue, attempt, error, ...times };
  }

  /** @returns {TaskDetail} */
  detail() {
    return {
      id: this.id,
      row: this.row(),
      timeline: this.#timeline.slice(),
      priority: this.#priority,
      durationMs: this.#duration,
      reason: this.#reason,
      dead: this.#dead,
      retriedFrom: this.#retriedFrom,
      result: jsonOrNull(this.#result.data),
      metadata: jsonOrNull(this.#metadata.data),
    };
  }

  /** @param {string} name @param {number} tsMs */
  #turn(name, tsMs) {
    const state = STATE_AFTER.get(name);
    if (state === undefined) {
      // Who uses the channel without the service may report progress of what nobody said has begun.
      if (name === "progress" && !this.hasEnded) this.state = "in-progress";
      return;
    }
    this.state = state;
    if (name === "created") this.createdMs = tsMs;
    if (name === "assigned" || name === "started") this.startedMs ??= tsMs;
    this.endedMs = ENDS.has(state) ? tsMs : null;
    if (state === "completed") this.progress = 100;
    if (state === "in-progress" || state === "completed") this.error = null;
  }

  /** @param {string} name @param {Record<string, unknown>} data */
  #read(name, data) {
    this.type = shortOf(data.type) ?? this.type;
    this.queue = shortOf(data.queue) ?? this.queue;
    this.agentId = shortOf(data.agentId) ?? this.agentId;
    this.attempt = numberOf(data.attempt) ?? this.attempt;
    this.error = faultOf(data.error) ?? this.error;
    this.#duration = numberOf(data.duration) ?? this.#duration;
    if (name === "progress") this.progress = numberOf(data.progress) ?? this.progress;
    if (name === "progress" || name === "message") this.message = shortOf(data.message) ?? this.message;
    if (name === "created") this.#describe(data);
    if (data.result !== undefined) this.#values.keep(this.#result, data.result);
    if (data.reason !== undefined) this.#reason = shortOf(data.reason);
    if (data.dead === true) this.#dead = true;
  }

  /** @param {Record<string, unknown>} data */
  #describe(data) {
    this.#priority = numberOf(data.priority);
    this.#retriedFrom = shortOf(data.retriedFrom);
    this.#values.keep(this.#metadata, data.metadata ?? null);
  }

  /** @param {string} event @param {Record<string, unknown>} data @param {number} tsMs */
  #note(event, data, tsMs) {
    const entry = { tsMs, event, text: this.#textOf(event, data) };
    // Of progress after progress only the last is a step of its own.
    if (event === "progress" && this.#timeline.last?.event === "progress") this.#timeline.replace(entry);
    else this.#timeline.push(entry);
  }

  /** @param {string} event @param {Record<string, unknown>} data @returns {string} */
  #textOf(event, data) {
    switch (event) {
      case "created":
        return joined(this.type, this.queue);
      case "assigned":
      case "started":
        return joined(shortOf(data.agentId), quantity(data.attempt, (attempt) => `attempt ${attempt}`));
      case "progress":
        return joined(quantity(data.progress, (progress) => `${progress} %`), shortOf(data.message));
      case "retrying":
        return joined(faultOf(data.error), quantity(data.delay, (delay) => `again in ${delay} ms`));
      default:
        return joined(faultOf(data.error), shortOf(data.message), shortOf(data.reason));
    }
  }
}
