/** Numbers over time in columns, for charts: the last so many seconds. */

/** How far back charts reach. */
export const CHART_SECONDS = 900;

export class Series {
  /** @type {number[]} seconds since 1970 */
  t = [];
  /** @type {Map<string, (number|null)[]>} */
  #columns;
  #seconds;

  /** @param {readonly string[]} names @param {number} seconds */
  constructor(names, seconds) {
    this.#seconds = seconds;
    this.#columns = new Map(names.map((name) => [name, []]));
  }

  /**
   * @param {number} t seconds; one that is not behind the last is left out
   * @param {Record<string, number|null>} values
   */
  push(t, values) {
    const last = this.t.at(-1);
    if (last !== undefined && t <= last) return;
    this.t.push(t);
    for (const [name, column] of this.#columns) column.push(values[name] ?? null);
    const old = this.t.findIndex((moment) => moment > t - this.#seconds);
    if (old <= 0) return;
    this.t.splice(0, old);
    for (const column of this.#columns.values()) column.splice(0, old);
  }

  /** @param {string} name @returns {(number|null)[]} */
  column(name) {
    return this.#columns.get(name) ?? [];
  }
}
