// Which branches of the tree of topics are open.

/** @typedef {import("../model/slices.js").TopicRow} TopicRow */

/** The worker is told each of them with every question. */
const MOST_OPEN = 500;

/** The open branches of a tree, the ones opened longest ago forgotten first. */
export class OpenBranches {
  /** @type {Set<string>} */
  #open = new Set();
  #changed;

  /** @param {() => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @returns {string[]} */
  get paths() {
    return [...this.#open];
  }

  /**
   * Opens a closed branch and closes an open one; a branch closed takes those below it along.
   *
   * @param {Pick<TopicRow, "path" | "isOpen">} row
   */
  turn({ path, isOpen }) {
    if (isOpen) this.#close(path);
    else this.#openOne(path);
    this.#changed();
  }

  /** @param {string} path */
  #openOne(path) {
    this.#open.add(path);
    const [oldest] = this.#open;
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#open.delete(oldest);
  }

  /** @param {string} path */
  #close(path) {
    for (const open of [...this.#open]) {
      if (open === path || open.startsWith(`${path}.`)) this.#open.delete(open);
    }
  }
}

/**
 * @param {string} path
 * @returns {string} empty for one at the top
 */
export function parentOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}
