/** The slices `topics` and `topic`: the tree as the rows that are open, or that a filter finds. */

import { CutValue, FULL, PREVIEW, cut, jsonOf } from "./jsontext.js";
import { search } from "./topicsearch.js";
import { windowOf } from "./window.js";

/** @typedef {import("./topicnode.js").TopicNode} TopicNode */
/** @typedef {import("./slices.js").TopicsQuery} TopicsQuery */
/** @typedef {import("./slices.js").TopicsSlice} TopicsSlice */
/** @typedef {import("./slices.js").TopicRow} TopicRow */
/** @typedef {import("./slices.js").TopicSlice} TopicSlice */

/** How long a list of rows may be behind the nodes that came and went. */
const STALE_MS = 500;

/**
 * The nodes that carry the mark, and all below them that do.
 * @param {TopicNode} node
 * @param {number} mark
 * @param {TopicNode[]} found
 */
function gather(node, mark, found) {
  found.push(node);
  for (const kid of node.kids) if (kid.mark === mark) gather(kid, mark, found);
}

/** @param {TopicNode} node @param {ReadonlySet<string>} open @param {TopicNode[]} found */
function unfold(node, open, found) {
  found.push(node);
  if (open.has(node.path)) for (const kid of node.kids) unfold(kid, open, found);
}

/** @param {TopicNode} node @returns {TopicSlice["headers"]} */
function headersOf({ headers }) {
  const data = headers?.data ?? {};
  // Of headers that are too heavy to be kept there is only a text.
  if (data instanceof CutValue) return { "(cut)": cut(data.text, PREVIEW) };
  return /** @type {TopicSlice["headers"]} */ (data);
}

export class TopicList {
  /**
   * Whether the rows that were last told are behind: the page is to be told again though nothing comes any
   * more.
   */
  isBehind = false;
  #tree;
  #pace;
  #key = "";
  #structure = -1;
  #search = 0;
  #madeMs = 0;
  /** @type {ReadonlySet<string>} */
  #open = new Set();
  /** @type {TopicNode[]} */
  #nodes = [];

  /** @param {import("./topictree.js").TopicTree} tree @param {import("./pace.js").Pace} pace */
  constructor(tree, pace) {
    this.#tree = tree;
    this.#pace = pace;
  }

  get revision() {
    return this.#tree.revision + this.#pace.generation;
  }

  /** @param {TopicsQuery} query @param {number} nowMs @returns {TopicsSlice} */
  topics(query, nowMs) {
    const filter = query.filter?.trim() ?? "";
    this.#refresh(filter, query.open, nowMs);
    const { items, ...place } = windowOf(this.#nodes, query);
    const rows = items.map((node) => this.#row(node, filter !== "", nowMs));
    return { ...place, topics: this.#tree.size, rows };
  }

  /** @param {{path: string|null}} query @param {number} nowMs @returns {TopicSlice} */
  topic({ path }, nowMs) {
    const node = path === null ? undefined : this.#tree.at(path);
    const counted = { rate: node ? this.#pace.rate(node, nowMs) : 0, count: node?.count ?? 0 };
    if (!node?.isTopic) {
      const place = { seq: null, tsMs: null, from: null, headers: null };
      const nothing = { ...place, json: null, isCut: false, bytes: null };
      return { topic: path, ...nothing, ...counted };
    }
    const { text, isCut, bytes } = jsonOf(node.data, FULL);
    const { seq, ts, sender } = node;
    const place = { seq, tsMs: ts, from: sender, headers: headersOf(node) };
    return { topic: path, ...place, json: text, isCut, bytes, ...counted };
  }

  /** @param {string} filter @param {string[]} open @param {number} nowMs */
  #refresh(filter, open, nowMs) {
    const key = JSON.stringify([filter, open]);
    const isSame = this.#structure === this.#tree.structure;
    this.isBehind = key === this.#key && !isSame && nowMs - this.#madeMs < STALE_MS;
    if (this.isBehind || (key === this.#key && isSame)) return;
    /** @type {TopicNode[]} */
    const nodes = [];
    this.#open = new Set(open);
    if (filter !== "") search(this.#tree, filter, (this.#search += 1));
    for (const node of this.#tree.root.kids) {
      if (filter === "") unfold(node, this.#open, nodes);
      else if (node.mark === this.#search) gather(node, this.#search, nodes);
    }
    this.#nodes = nodes;
    this.#key = key;
    this.#structure = this.#tree.structure;
    this.#madeMs = nowMs;
  }

  /** @param {TopicNode} node @param {boolean} isFound @param {number} nowMs @returns {TopicRow} */
  #row(node, isFound, nowMs) {
    return {
      path: node.path,
      name: node.name,
      depth: node.depth,
      isTopic: node.isTopic,
      kids: node.size,
      isOpen: node.size > 0 && (isFound || this.#open.has(node.path)),
      rate: this.#pace.rate(node, nowMs),
      count: node.count,
      seq: node.seq,
      tsMs: node.isTopic ? node.ts : null,
      preview: node.preview,
    };
  }
}
