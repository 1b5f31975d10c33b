/**
 * The last health reports of an agent, in columns: thousands of agents have them, and no report is an
 * object.
 */

const COLUMNS = 4;
/** Reports kept of one agent. */
const MOST = 200;
const FIRST_SIZE = 8;

export class HealthRing {
  #cells = new Float64Array(FIRST_SIZE * COLUMNS);
  #size = 0;
  #first = 0;

  /** @param {number} tsMs @param {number|null} cpu @param {number|null} memory @param {boolean} healthy */
  push(tsMs, cpu, memory, healthy) {
    if (this.#size < MOST && this.#size * COLUMNS === this.#cells.length) this.#grow();
    let place = this.#size;
    if (this.#size < MOST) this.#size += 1;
    else {
      place = this.#first;
      this.#first = (this.#first + 1) % MOST;
    }
    const at = place * COLUMNS;
    this.#cells[at] = tsMs;
    this.#cells[at + 1] = cpu ?? NaN;
    this.#cells[at + 2] = memory ?? NaN;
    this.#cells[at + 3] = healthy ? 1 : 0;
  }

  /** @returns {import("./slices.js").AgentDetail["health"]} */
  columns() {
    /** @type {import("./slices.js").AgentDetail["health"]} */
    const found = { t: [], cpu: [], memory: [], healthy: [] };
    for (let index = 0; index < this.#size; index += 1) {
      const at = ((this.#first + index) % MOST) * COLUMNS;
      found.t.push(this.#cells[at] / 1000);
      found.cpu.push(known(this.#cells[at + 1]));
      found.memory.push(known(this.#cells[at + 2]));
      found.healthy.push(this.#cells[at + 3] === 1);
    }
    return found;
  }

  #grow() {
    const wider = new Float64Array(Math.min(MOST * COLUMNS, this.#cells.length * 2));
    wider.set(this.#cells);
    this.#cells = wider;
  }
}

/** @param {number} cell */
function known(cell) {
  return Number.isNaN(cell) ? null : cell;
}
