/**
 * What a page or a worker tells of the world around it: that it is seen again, that there is a network, that
 * it was frozen and goes on. Node tells nothing, and is always there.
 */
export class Presence {
  #scope;
  #page;
  #changed = () => {};

  /**
   * @param {object} [scope] where events and `navigator` are found
   */
  constructor(scope = globalThis) {
    this.#scope = /** @type {Scope} */ (scope);
    this.#page = this.#scope.document;
  }

  /** Whether there may be a network; only a clear no counts. */
  get online() {
    return this.#scope.navigator?.onLine !== false;
  }

  /**
   * Call this whenever a connection may have become possible, or have been lost unseen.
   * @param {() => void} changed
   */
  watch(changed) {
    this.#changed = changed;
    for (const name of ON_SCOPE) this.#scope.addEventListener?.(name, this.#tell);
    for (const name of ON_PAGE) this.#page?.addEventListener(name, this.#tell);
  }

  /** Watch no more; harmless twice. */
  close() {
    this.#changed = () => {};
    for (const name of ON_SCOPE) this.#scope.removeEventListener?.(name, this.#tell);
    for (const name of ON_PAGE) this.#page?.removeEventListener(name, this.#tell);
  }

  #tell = () => {
    if (this.#page?.visibilityState !== "hidden") this.#changed();
  };
}

const ON_SCOPE = ["online", "offline", "pageshow"];
const ON_PAGE = ["visibilitychange", "resume"];

/**
 * @typedef {object} Target
 * @property {(name: string, listener: () => void) => void} addEventListener
 * @property {(name: string, listener: () => void) => void} removeEventListener
 */

/**
 * As much of a page's or a worker's global scope as is looked at.
 * @typedef {Partial<Target> & {
 *   navigator?: { onLine?: boolean },
 *   document?: Target & { visibilityState: string },
 * }} Scope
 */
