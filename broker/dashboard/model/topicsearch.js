/** Finds topics by a part of them, or by a pattern: a branch that cannot match is not walked. */

import { checkPattern } from "../../sdk/protocol/topics.js";

/** @typedef {import("./topicnode.js").TopicNode} TopicNode */
/** @typedef {import("./topictree.js").TopicTree} TopicTree */

/** Segments of a pattern that can be searched for: each is a bit of a number, and one more is the end. */
const SEGMENTS = 30;

/** @param {string} filter */
function isPattern(filter) {
  return filter.split(".").some((segment) => segment === "*" || segment === "#");
}

/** @param {string} filter */
function isWhole(filter) {
  try {
    checkPattern(filter);
    return true;
  } catch {
    return false;
  }
}

/** A walk down the tree, that knows after each node which segments of the pattern may come next. */
class Walk {
  #segments;
  #end;
  #mark;

  /** @param {string[]} segments @param {number} mark */
  constructor(segments, mark) {
    this.#segments = segments;
    this.#end = 1 << segments.length;
    this.#mark = mark;
  }

  /** @param {TopicNode} root */
  begin(root) {
    const [first] = this.#segments;
    const sparesReserved = first === "*" || first === "#";
    const states = this.#spread(1);
    for (const kid of root.branches) {
      if (!(sparesReserved && kid.name.startsWith("$"))) this.#visit(kid, this.#step(states, kid.name));
    }
  }

  /** @param {TopicNode} node @param {number} states @returns {boolean} whether anything was found */
  #visit(node, states) {
    if (states === 0) return false;
    let isFound = node.isTopic && (states & this.#end) !== 0;
    for (const kid of node.branches) if (this.#visit(kid, this.#step(states, kid.name))) isFound = true;
    if (isFound) node.mark = this.#mark;
    return isFound;
  }

  /** What may come behind a segment. @param {number} states @param {string} name */
  #step(states, name) {
    let next = 0;
    for (let at = 0; at < this.#segments.length; at += 1) {
      if ((states & (1 << at)) === 0) continue;
      const segment = this.#segments[at];
      if (segment === "#") next |= 1 << at;
      else if (segment === "*" || segment === name) next |= 1 << (at + 1);
    }
    return this.#spread(next);
  }

  /** `#` may stand for nothing. @param {number} states */
  #spread(states) {
    let all = states;
    for (let at = 0; at < this.#segments.length; at += 1) {
      if ((all & (1 << at)) !== 0 && this.#segments[at] === "#") all |= 1 << (at + 1);
    }
    return all;
  }
}

/**
 * Marks the topics that the filter finds, and all above them.
 * @param {TopicTree} tree
 * @param {string} filter  a pattern that is only half typed finds nothing
 * @param {number} mark
 */
export function search(tree, filter, mark) {
  if (isPattern(filter)) {
    const segments = filter.split(".").filter((segment, at, all) => segment !== "#" || all[at - 1] !== "#");
    if (segments.length <= SEGMENTS && isWhole(filter)) new Walk(segments, mark).begin(tree.root);
    return;
  }
  for (const node of tree.topics) {
    if (!node.path.includes(filter)) continue;
    /** @type {TopicNode|null} */
    let at = node;
    for (; at !== null && at.mark !== mark; at = at.parent) at.mark = mark;
  }
}
