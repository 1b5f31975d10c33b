/** The swarms and their votes, and the slice of that name. */

import { Roll } from "./roll.js";
import { Swarm } from "./swarm.js";

/** @typedef {import("./slices.js").SwarmsSlice} SwarmsSlice */

const MOST = 500;

export class Swarms {
  revision = 0;
  /** @type {Roll<Swarm>} */
  #roll;

  /** @param {(agentId: string) => string} statusOf @param {number} [most] */
  constructor(statusOf, most = MOST) {
    this.statusOf = statusOf;
    this.#roll = new Roll((id) => new Swarm(id), most);
  }

  get size() {
    return this.#roll.size;
  }

  get dropped() {
    return this.#roll.dropped;
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {string|null} item
   * @param {import("./event.js").TopicEvent} event
   */
  take(id, name, item, event) {
    this.#roll.of(id).take(name, item, event);
    this.revision += 1;
  }

  /** @param {{selected: string|null}} query @returns {SwarmsSlice} */
  slice({ selected }) {
    const rows = Array.from(this.#roll.all, (swarm) => swarm.row());
    const chosen = selected === null ? undefined : this.#roll.get(selected);
    return {
      rows: rows.sort((a, b) => (a.id < b.id ? -1 : 1)),
      detail: chosen?.detail(this.statusOf) ?? null,
    };
  }
}
