/**
 * One segment of the topics that were seen: how much passes below it, and the last event on just this path.
 */

import { previewOf } from "./jsontext.js";
import { Kept } from "./values.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {{take(event: TopicEvent): void}} Sink who else takes the events of a topic */

/** So many nodes that came are put in order at once: what is in runs is sorted fast when it is shown. */
const RUN = 1000;

/** Of nodes of different names. @param {TopicNode} a @param {TopicNode} b */
function byName(a, b) {
  return a.name < b.name ? -1 : 1;
}

/** @type {readonly TopicNode[]} */
const NONE = Object.freeze([]);

export class TopicNode extends Kept {
  // What every event touches comes first: in memory it lies together.
  /** @type {TopicNode|null} */
  parent;
  // A counter of Pace.
  generation = 0;
  current = 0;
  former = 0;
  /** Events on this path and below. */
  count = 0;
  /** @type {number|null} */
  seq = null;
  ts = 0;
  /** Whether something was heard of it since it was last asked whether it may go. */
  isFresh = false;
  isTopic = false;
  /** @type {Sink|null} */
  sink = null;
  /** @type {string|null} */
  sender = null;
  /** @type {Kept|null} */
  headers = null;
  /** @type {string|null} */
  #preview = null;

  /** It was removed from its parent. */
  isGone = false;
  /** The number of the last search that found something here. */
  mark = 0;
  /** @type {Map<string, TopicNode>|null} */
  #kids = null;
  /** @type {TopicNode[]} */
  #order = [];
  #isOrdered = true;
  /** How many of the order are in runs. */
  #sorted = 0;

  /** @param {TopicNode|null} parent @param {string} name @param {string} path @param {number} depth */
  constructor(parent, name, path, depth) {
    super();
    this.parent = parent;
    this.name = name;
    this.path = path;
    this.depth = depth;
  }

  get size() {
    return this.#kids?.size ?? 0;
  }

  /** @param {string} name @returns {TopicNode|undefined} */
  kid(name) {
    return this.#kids?.get(name);
  }

  /** @param {TopicNode} kid */
  add(kid) {
    this.#kids ??= new Map();
    this.#kids.set(kid.name, kid);
    this.#order.push(kid);
    this.#isOrdered = false;
    if (this.#order.length - this.#sorted >= RUN) this.#closeRun();
  }

  /** @param {TopicNode} kid */
  remove(kid) {
    this.#kids?.delete(kid.name);
    kid.isGone = true;
    this.#isOrdered = false;
  }

  /** The nodes directly below, in no order. @returns {Iterable<TopicNode>} */
  get branches() {
    return this.#kids?.values() ?? NONE;
  }

  /** The nodes directly below, by name. @returns {readonly TopicNode[]} */
  get kids() {
    if (!this.#isOrdered) {
      this.#thin();
      this.#order.sort(byName);
      this.#sorted = this.#order.length;
      this.#isOrdered = true;
    }
    return this.#order;
  }

  #closeRun() {
    // Many may come and go while nobody looks.
    if (this.#order.length > 2 * this.size) this.#thin();
    const run = this.#order.splice(this.#sorted).sort(byName);
    for (const kid of run) this.#order.push(kid);
    this.#sorted = this.#order.length;
  }

  /** Leaves out what was removed. */
  #thin() {
    if (this.#order.length === this.size) return;
    this.#order = this.#order.filter((kid) => !kid.isGone);
    this.#sorted = Math.min(this.#sorted, this.#order.length);
  }

  /** Takes all of the event but its data and headers. @param {TopicEvent} event */
  take(event) {
    this.isTopic = true;
    this.seq = event.seq;
    this.ts = event.ts;
    this.sender = event.sender;
    this.#preview = null;
  }

  forget() {
    this.isTopic = false;
    this.seq = null;
    this.sender = this.sink = null;
    this.#preview = null;
  }

  get preview() {
    if (this.#preview === null && this.isTopic) this.#preview = previewOf(this.data);
    return this.#preview;
  }
}
