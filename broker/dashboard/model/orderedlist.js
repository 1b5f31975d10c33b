/**
 * A long list, filtered and sorted for who looks at it: worked out twice a second at most, and only when
 * asked for.
 */

/** How long an order may be behind its items. */
const STALE_MS = 500;

/** @typedef {string|number|null} Key  null comes last, whatever the direction */

/** @param {Key} a @param {Key} b @param {number} sign */
function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -sign : sign;
}

/** @template T */
export class OrderedList {
  /** Whether the order that was last given is behind its items: it is to be asked for again. */
  isBehind = false;
  #items;
  #columns;
  #key = "";
  #revision = -1;
  #madeMs = 0;
  /** @type {T[]} */
  #order = [];

  /**
   * @param {() => Iterable<T>} items
   * @param {Readonly<Record<string, (item: T) => Key>>} columns  what can be sorted by; the first is the
   *   default
   */
  constructor(items, columns) {
    this.#items = items;
    this.#columns = columns;
  }

  /**
   * @param {string} sort  a column, `-` before it for the other direction; an unknown one is the default
   * @param {string} filter  names what `test` lets pass
   * @param {(item: T) => boolean} test
   * @param {number} revision  another one when an item has changed
   * @param {number} nowMs
   * @returns {readonly T[]}
   */
  order(sort, filter, test, revision, nowMs) {
    const key = `${sort} ${filter}`;
    const isSame = revision === this.#revision;
    this.isBehind = key === this.#key && !isSame && nowMs - this.#madeMs < STALE_MS;
    if (this.isBehind || (key === this.#key && isSame)) return this.#order;
    this.#order = this.#sorted(sort, test);
    this.#key = key;
    this.#revision = revision;
    this.#madeMs = nowMs;
    return this.#order;
  }

  /** @param {string} sort @param {(item: T) => boolean} test @returns {T[]} */
  #sorted(sort, test) {
    const sign = sort.startsWith("-") ? -1 : 1;
    const name = sign < 0 ? sort.slice(1) : sort;
    const column = Object.hasOwn(this.#columns, name) ? this.#columns[name] : Object.values(this.#columns)[0];
    const found = [];
    for (const item of this.#items()) if (test(item)) found.push({ item, key: column(item) });
    found.sort((a, b) => compare(a.key, b.key, sign));
    return found.map(({ item }) => item);
  }
}
