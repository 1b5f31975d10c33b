/** The tasks, as their events tell of them, and the slice of that name. */

import { OrderedList } from "./orderedlist.js";
import { Roll } from "./roll.js";
import { RollSink } from "./rollsink.js";
import { Tally } from "./tally.js";
import { TASK_EVENTS, Task } from "./task.js";
import { windowOf } from "./window.js";

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

export class Tasks {
  revision = 0;
  /** @type {Roll<Task>} */
  #roll;
  #byState = new Tally(STATES, "other");
  /** @type {OrderedList<Task>} */
  #list;
  #values;
  #channels = new Map([...TASK_EVENTS].map((name) => [name, this.#teller(name)]));

  /**
   * @param {import("./values.js").Values} values  keeps what they are about
   * @param {number} [most]
   */
  constructor(values, most = MOST) {
    this.#values = values;
    this.#roll = new Roll(
      (id) => this.#make(id),
      most,
      (task) => this.#forget(task),
    );
    this.#list = new OrderedList(() => this.#roll.all, COLUMNS);
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

  /**
   * Who takes the events of `task.<id>.<name>`.
   * @param {string} id
   * @param {string} name
   * @returns {import("./topicnode.js").Sink|null}
   */
  channel(id, name) {
    const tell = this.#channels.get(name);
    return tell === undefined ? null : new RollSink(this.#roll, id, tell);
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
    const order = this.#list.order(sort, JSON.stringify([filter, state]), test, this.revision, nowMs);
    const { items, ...place } = windowOf(order, { offset, limit });
    return {
      ...place,
      byState: { ...this.#byState.counts },
      rows: items.map((task) => task.row()),
      detail: (selected === null ? undefined : this.#roll.get(selected))?.detail() ?? null,
    };
  }

  /** What hands an event of that name to a task. @param {string} name */
  #teller(name) {
    return (/** @type {Task} */ task, /** @type {import("./event.js").TopicEvent} */ event) => {
      const before = task.state;
      task.take(name, event);
      if (task.state !== before) this.#byState.move(before, task.state);
      this.revision += 1;
    };
  }

  /** @param {string} id */
  #make(id) {
    const task = new Task(id, this.#values);
    this.#byState.move(null, task.state);
    return task;
  }

  /** @param {Task} task */
  #forget(task) {
    task.forget();
    this.#byState.move(task.state, null);
  }
}
