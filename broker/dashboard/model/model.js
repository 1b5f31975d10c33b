/** All that the events of the broker tell: topics, agents, tasks and swarms. No sockets and no timers. */

import { decodeSegment } from "../../sdk/protocol/topics.js";
import { Agents } from "./agents.js";
import { Pace, makeCounter } from "./pace.js";
import { Swarms } from "./swarms.js";
import { Tasks } from "./tasks.js";
import { TopicList } from "./topiclist.js";
import { TopicTree } from "./topictree.js";
import { Values } from "./values.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./topicnode.js").Sink} Sink */
/** @typedef {{topics?: number, agents?: number, tasks?: number, swarms?: number, values?: number}} Sizes */

const BUSIEST = 10;

/**
 * The id that a segment encodes; null where it encodes none, and the topic is nobody's channel.
 * @param {string} segment
 */
function idOf(segment) {
  try {
    return decodeSegment(segment);
  } catch {
    return null;
  }
}

export class Model {
  /** Events since the model began, with those that conflation left out. */
  seen = 0;
  /** Events that came one by one. */
  received = 0;
  pace;
  tree;
  agents;
  tasks;
  swarms;
  list;
  #counter = makeCounter();

  #most;

  /** @param {number} nowMs @param {Sizes} [most] */
  constructor(nowMs, most = {}) {
    this.#most = most;
    this.pace = new Pace(nowMs);
    const values = new Values(most.values);
    this.agents = new Agents(values, most.agents);
    this.tasks = new Tasks(values, most.tasks);
    this.swarms = this.#noSwarms();
    this.tree = new TopicTree(this.pace, values, (topic) => this.#sinkOf(topic), most.topics);
    this.list = new TopicList(this.tree, this.pace);
  }

  /**
   * Takes an event of the stream of everything.
   * @param {TopicEvent} event
   * @param {boolean} isNew  false for one that was read from the past, and counts in no rate
   * @returns {boolean} false: it was taken before
   */
  take(event, isNew) {
    const told = 1 + event.skipped;
    if (!this.tree.take(event, isNew ? told : 0)) return false;
    this.received += 1;
    this.seen += told;
    if (isNew) this.pace.count(this.#counter, told);
    return true;
  }

  /** So many events more were published that conflation left out for good. @param {number} count */
  miss(count) {
    this.seen += count;
    this.pace.count(this.#counter, count);
  }

  /**
   * Takes an event of the stream of the swarms, which leaves none out: a vote that is not seen is missed.
   * @param {TopicEvent} event
   */
  takeSwarm(event) {
    const [area, id, name, item, ...more] = event.topic.split(".");
    if (area !== "swarm" || name === undefined || more.length > 0) return;
    const swarm = idOf(id);
    const ballot = item === undefined ? null : idOf(item);
    if (swarm === null || (ballot === null && item !== undefined)) return;
    this.swarms.take(swarm, name, ballot, event);
  }

  /**
   * An empty model with the same swarms: they come by a stream of their own, that tells by itself when
   * they are old.
   * @param {number} nowMs
   */
  anew(nowMs) {
    const model = new Model(nowMs, this.#most);
    model.swarms = this.swarms;
    model.swarms.statusOf = (id) => model.statusOf(id);
    return model;
  }

  forgetSwarms() {
    this.swarms = this.#noSwarms(this.swarms.revision + 1);
  }

  /** @param {string} agentId */
  statusOf(agentId) {
    return this.agents.get(agentId)?.status ?? "unknown";
  }

  /** Events a second. @param {number} nowMs */
  rate(nowMs) {
    return this.pace.rate(this.#counter, nowMs);
  }

  /** @param {number} nowMs @returns {{topic: string, rate: number}[]} */
  busiest(nowMs) {
    /** @type {{topic: string, rate: number}[]} */
    const top = [];
    for (const node of this.tree.topics) {
      const rate = this.pace.rate(node, nowMs);
      if (rate === 0 || (top.length === BUSIEST && rate <= top[BUSIEST - 1].rate)) continue;
      const place = top.findIndex((other) => other.rate < rate);
      top.splice(place < 0 ? top.length : place, 0, { topic: node.path, rate });
      if (top.length > BUSIEST) top.pop();
    }
    return top;
  }

  get counts() {
    return {
      topics: this.tree.size,
      agents: this.agents.size,
      tasks: this.tasks.size,
      swarms: this.swarms.size,
    };
  }

  /** Kinds of things of which some were forgotten. @returns {Record<string, number>} */
  get dropped() {
    const parts = { topics: this.tree, agents: this.agents, tasks: this.tasks, swarms: this.swarms };
    const counts = Object.entries(parts).map(([name, { dropped }]) => /** @type {const} */ ([name, dropped]));
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  /** @param {number} [revision] */
  #noSwarms(revision = 0) {
    const swarms = new Swarms((id) => this.statusOf(id), this.#most.swarms);
    swarms.revision = revision;
    return swarms;
  }

  /** @param {string} topic @returns {Sink|null} */
  #sinkOf(topic) {
    const [area, second, third, ...more] = topic.split(".");
    if (third === undefined || more.length > 0) return null;
    const isBeing = area === "registry" && second === "agent";
    const id = idOf(isBeing ? third : second);
    if (id === null) return null;
    if (isBeing) return this.agents.registry(id);
    if (area === "agent") return this.agents.channel(id, third);
    return area === "task" ? this.tasks.channel(id, third) : null;
  }
}
