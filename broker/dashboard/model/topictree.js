/** All topics that were seen, as a tree that counts. */

import { TopicNode } from "./topicnode.js";
import { Kept } from "./values.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./topicnode.js").Sink} Sink */

/** Topics kept. */
const MOST = 50000;
/** What share of them goes at once when there are more. */
const SHARE = 0.05;

/** @param {object} fields */
function isEmpty(fields) {
  for (const _ in fields) return false;
  return true;
}

export class TopicTree {
  root = new TopicNode(null, "", "", -1);
  /** Rises with every event. */
  revision = 0;
  /** Rises when nodes come or go. */
  structure = 0;
  dropped = 0;
  /** @type {Map<string, TopicNode>} */
  #topics = new Map();
  #pace;
  #values;
  #sinkOf;
  #most;

  /**
   * @param {import("./pace.js").Pace} pace
   * @param {import("./values.js").Values} values  keeps the last of each topic
   * @param {(topic: string) => Sink|null} sinkOf
   * @param {number} [most]
   */
  constructor(pace, values, sinkOf, most = MOST) {
    this.#pace = pace;
    this.#values = values;
    this.#sinkOf = sinkOf;
    this.#most = most;
  }

  get size() {
    return this.#topics.size;
  }

  /** @returns {Iterable<TopicNode>} */
  get topics() {
    return this.#topics.values();
  }

  /** @param {string} path @returns {TopicNode|undefined} */
  at(path) {
    return this.#topics.get(path) ?? this.#find(path);
  }

  /**
   * Counts and keeps an event. False for one that was taken before, as another reading of the last values
   * gives.
   * @param {TopicEvent} event
   * @param {number} weight  how many events it stands for in the rates: none if it happened long ago
   */
  take(event, weight) {
    let node = this.#topics.get(event.topic);
    if (node === undefined) node = this.#make(event.topic);
    else if (event.seq !== null && node.seq !== null && event.seq <= node.seq) return false;
    else node.isFresh = true;
    this.revision += 1;
    const told = 1 + event.skipped;
    const pace = this.#pace;
    for (let at = /** @type {TopicNode|null} */ (node); at !== null; at = at.parent) {
      at.count += told;
      if (weight !== 0) pace.count(at, weight);
    }
    node.take(event);
    this.#values.keep(node, event.data);
    if (node.headers !== null || !isEmpty(event.headers)) this.#keepHeaders(node, event.headers);
    if (node.sink !== null) node.sink.take(event);
    if (event.clear) this.#drop(node);
    return true;
  }

  /** @param {TopicNode} node @param {TopicEvent["headers"]} headers */
  #keepHeaders(node, headers) {
    node.headers ??= new Kept();
    if (!isEmpty(headers)) {
      this.#values.keep(node.headers, headers);
    } else {
      this.#values.forget(node.headers);
      node.headers = null;
    }
  }

  /** @param {string} path */
  #find(path) {
    /** @type {TopicNode|undefined} */
    let node = this.root;
    for (const name of path.split(".")) node = node?.kid(name);
    return node;
  }

  /** @param {string} topic @returns {TopicNode} */
  #make(topic) {
    if (this.#topics.size >= this.#most) this.#shrink();
    let node = this.root;
    for (let begin = 0; begin <= topic.length; ) {
      const end = topic.indexOf(".", begin);
      const stop = end < 0 ? topic.length : end;
      node = this.#below(node, topic.slice(begin, stop), topic.slice(0, stop));
      begin = stop + 1;
    }
    node.sink = this.#sinkOf(topic);
    this.#topics.set(topic, node);
    return node;
  }

  /** @param {TopicNode} parent @param {string} name @param {string} path */
  #below(parent, name, path) {
    const there = parent.kid(name);
    if (there !== undefined) return there;
    const made = new TopicNode(parent, name, path, parent.depth + 1);
    parent.add(made);
    this.structure += 1;
    return made;
  }

  /** @param {TopicNode} node */
  #drop(node) {
    this.#topics.delete(node.path);
    this.#values.forget(node);
    if (node.headers !== null) this.#keepHeaders(node, {});
    node.forget();
    this.structure += 1;
    let empty = node;
    while (empty.parent !== null && empty.size === 0 && !empty.isTopic) {
      empty.parent.remove(empty);
      empty = empty.parent;
    }
  }

  /** Forgets topics that were silent for long: who was heard of goes to the end, and is asked again there. */
  #shrink() {
    const few = Math.max(1, Math.ceil(this.#most * SHARE));
    let left = few;
    for (const [topic, node] of this.#topics) {
      if (node.isFresh) {
        node.isFresh = false;
        this.#topics.delete(topic);
        this.#topics.set(topic, node);
      } else {
        this.#drop(node);
        left -= 1;
        if (left === 0) break;
      }
    }
    this.dropped += few;
  }
}
