/** Things by their ids, counted by their states, and in the order in which somebody looks at them. */

import { OrderedList } from "./orderedlist.js";
import { Roll } from "./roll.js";
import { RollSink } from "./rollsink.js";
import { Tally } from "./tally.js";
import { windowOf } from "./window.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./orderedlist.js").Key} Key */

/**
 * @typedef {import("./roll.js").Entry & {row(): unknown, detail(): unknown, forget(): void}} Listed
 */

/**
 * @template {Listed} T
 * @typedef {object} Kind
 * @property {(id: string) => T} make
 * @property {number} most  how many are kept
 * @property {(entry: T) => string} stateOf
 * @property {readonly string[]} states  those that are counted by themselves
 * @property {Readonly<Record<string, (entry: T) => Key>>} columns  what they can be sorted by
 */

/** @template {Listed} T */
export class Roster {
  revision = 0;
  #stateOf;
  #tally;
  #roll;
  #list;

  /** @param {Kind<T>} kind */
  constructor({ make, most, stateOf, states, columns }) {
    this.#stateOf = stateOf;
    this.#tally = new Tally(states, "other");
    const made = (/** @type {string} */ id) => {
      const entry = make(id);
      this.#tally.move(null, stateOf(entry));
      return entry;
    };
    const dropped = (/** @type {T} */ entry) => {
      entry.forget();
      this.#tally.move(stateOf(entry), null);
    };
    this.#roll = new Roll(made, most, dropped);
    this.#list = new OrderedList(() => this.#roll.all, columns);
  }

  get size() {
    return this.#roll.size;
  }

  /**
   * Whether the rows that were last told are behind: the page is to be told again though nothing comes any
   * more.
   */
  get isBehind() {
    return this.#list.isBehind;
  }

  get dropped() {
    return this.#roll.dropped;
  }

  /** How many there are of each state. */
  get counts() {
    return { ...this.#tally.counts };
  }

  /** @param {string} id @returns {T|undefined} */
  get(id) {
    return this.#roll.get(id);
  }

  /** The name under which one is counted. @param {T} entry */
  countedAs(entry) {
    return this.#tally.nameOf(this.#stateOf(entry));
  }

  /**
   * What hands an event to one of them, and counts what becomes of it.
   * @param {(entry: T, event: TopicEvent) => void} tell
   * @returns {(entry: T, event: TopicEvent) => void}
   */
  telling(tell) {
    return (entry, event) => {
      const before = this.#stateOf(entry);
      tell(entry, event);
      const after = this.#stateOf(entry);
      if (after !== before) this.#tally.move(before, after);
      this.revision += 1;
    };
  }

  /**
   * Who takes the events of a topic that is about one of them; null where nobody tells them.
   * @param {string} id
   * @param {((entry: T, event: TopicEvent) => void) | undefined} tell  made by `telling`
   * @returns {import("./topicnode.js").Sink|null}
   */
  sink(id, tell) {
    return tell === undefined ? null : new RollSink(this.#roll, id, tell);
  }

  /**
   * The rows in sight of those that pass, and the one that is looked at.
   * @param {{sort: string, offset: number, limit: number, selected: string|null}} query
   * @param {string} filter  names what `test` lets pass
   * @param {(entry: T) => boolean} test
   * @param {number} nowMs
   */
  listing({ sort, offset, limit, selected }, filter, test, nowMs) {
    const order = this.#list.order(sort, filter, test, this.revision, nowMs);
    const { items, ...place } = windowOf(order, { offset, limit });
    return {
      ...place,
      rows: items.map((entry) => /** @type {ReturnType<T["row"]>} */ (entry.row())),
      detail: this.#detail(selected),
    };
  }

  /** @param {string|null} id */
  #detail(id) {
    const entry = id === null ? undefined : this.get(id);
    return /** @type {ReturnType<T["detail"]>|null} */ (entry?.detail() ?? null);
  }
}
