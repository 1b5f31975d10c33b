/**
 * Answers the page's question what is new: at once when it asks for something else, at most ten times a
 * second while there is news, and after a quarter of a second at the latest, so that it asks again.
 */

/** @typedef {import("./slices.js").SliceName} SliceName */
/** @typedef {import("./slices.js").Queries} Queries */
/** @typedef {import("./slices.js").Slices} Slices */
/** @typedef {Partial<Queries>} Wants */

/**
 * Where a slice comes from. `revision` is another number whenever the slice may be another one.
 * @template {SliceName} N
 * @typedef {object} Section
 * @property {() => number} revision
 * @property {(query: Queries[N], nowMs: number) => Slices[N]} build
 */
/** @typedef {{[N in SliceName]: Section<N>}} Sections */

const SHORTEST_MS = 100;
const LONGEST_MS = 250;
/** A page that has not asked for so long looks at nothing: its tab is hidden. */
const FORGOTTEN_MS = 3000;

/** @typedef {{now: () => number, after: (ms: number, fn: () => void) => () => void}} Clock as the SDK's */

export class Frames {
  #sections;
  #answer;
  #clock;
  /** @type {Map<SliceName, {key: string, revision: number}>} */
  #told = new Map();
  /** @type {{wants: Wants, askedMs: number}|null} */
  #pending = null;
  #lastMs = -Infinity;
  /** @type {Wants} */
  #wants = {};
  #wantedMs = -Infinity;
  /** @type {(() => void)|null} */
  #stop = null;

  /** @param {Sections} sections @param {(slices: Partial<Slices>) => void} answer @param {Clock} clock */
  constructor(sections, answer, clock) {
    this.#sections = sections;
    this.#answer = answer;
    this.#clock = clock;
  }

  /** The page asks; a question that is not answered yet is forgotten. @param {Wants} wants */
  ask(wants) {
    this.#wants = wants;
    this.#wantedMs = this.#clock.now();
    this.#pending = { wants, askedMs: this.#wantedMs };
    for (const name of this.#told.keys()) if (wants[name] === undefined) this.#told.delete(name);
    this.#try();
  }

  /**
   * What the page looks at just now; undefined where it does not.
   * @template {SliceName} N
   * @param {N} name
   * @returns {Queries[N]|undefined}
   */
  query(name) {
    if (this.#clock.now() - this.#wantedMs > FORGOTTEN_MS) return undefined;
    return /** @type {Queries[N]|undefined} */ (this.#wants[name]);
  }

  close() {
    this.#stop?.();
    this.#stop = this.#pending = null;
  }

  #try() {
    this.#stop?.();
    this.#stop = null;
    if (this.#pending === null) return;
    const { wants, askedMs } = this.#pending;
    const now = this.#clock.now();
    const names = /** @type {SliceName[]} */ (Object.keys(wants));
    const due = names.filter((name) => this.#isDue(name, wants, now));
    if (due.length === 0 && now - askedMs < LONGEST_MS) {
      this.#stop = this.#clock.after(SHORTEST_MS / 2, () => this.#try());
      return;
    }
    this.#pending = null;
    if (due.length > 0) this.#lastMs = now;
    this.#answer(this.#build(due, wants, now));
  }

  /** @param {SliceName} name @param {Wants} wants @param {number} now */
  #isDue(name, wants, now) {
    if (!Object.hasOwn(this.#sections, name)) return false;
    const told = this.#told.get(name);
    if (told === undefined || told.key !== JSON.stringify(wants[name])) return true;
    return now - this.#lastMs >= SHORTEST_MS && told.revision !== this.#sections[name].revision();
  }

  /** @param {SliceName[]} names @param {Wants} wants @param {number} now @returns {Partial<Slices>} */
  #build(names, wants, now) {
    /** @type {Partial<Record<SliceName, unknown>>} */
    const slices = {};
    for (const name of names) {
      const section = /** @type {Section<any>} */ (this.#sections[name]);
      slices[name] = section.build(wants[name], now);
      this.#told.set(name, { key: JSON.stringify(wants[name]), revision: section.revision() });
    }
    return /** @type {Partial<Slices>} */ (slices);
  }
}
