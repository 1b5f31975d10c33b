/** The tasks, as their events tell of them, and the slice of that name. */

import { Roster } from "./roster.js";
import { TASK_EVENTS, Task } from "./task.js";

/** @typedef {import("./slices.js").TasksQuery} TasksQuery */
/** @typedef {import("./slices.js").TasksSlice} TasksSlice */

const MOST = 20000;
const STATES = ["pending", "in-progress", "completed", "failed", "cancelled", "closed"];

/** @type {Record<string, (task: Task) => string|number|null>} */
const COLUMNS = {
  created: (task) => task.createdMs,
  id: (task) => task.id,
  type: (task) => task.type,
  state: (task) => task.state,
  progress: (task) => task.progress,
  agent: (task) => task.agentId,
  ended: (task) => task.endedMs,
};

/** @extends {Roster<Task>} */
export class Tasks extends Roster {
  #channels = new Map(
    [...TASK_EVENTS].map((name) => [name, this.telling((task, event) => task.take(name, event))]),
  );

  /**
   * @param {import("./values.js").Values} values  keeps what they are about
   * @param {number} [most]
   */
  constructor(values, most = MOST) {
    super({
      make: (id) => new Task(id, values),
      most,
      stateOf: (task) => task.state,
      states: STATES,
      columns: COLUMNS,
    });
  }

  /**
   * Who takes the events of `task.<id>.<name>`.
   * @param {string} id
   * @param {string} name
   */
  channel(id, name) {
    return this.sink(id, this.#channels.get(name));
  }

  /**
   * All of the slice but what calls tell.
   * @param {TasksQuery} query
   * @param {number} nowMs
   * @returns {Pick<TasksSlice, "total"|"offset"|"byState"|"rows"|"detail">}
   */
  slice({ filter = "", state = null, sort = "-created", offset, limit, selected = null }, nowMs) {
    const holds = (/** @type {string|null} */ text) => text?.includes(filter) ?? false;
    const test = (/** @type {Task} */ task) =>
      (state === null || task.state === state) &&
      (filter === "" || holds(task.id) || holds(task.type) || holds(task.agentId));
    const shown = { sort, offset, limit, selected };
    return { byState: this.counts, ...this.listing(shown, JSON.stringify([filter, state]), test, nowMs) };
  }
}
