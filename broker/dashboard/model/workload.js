/** The queues and workers beside the tasks, asked for while tasks are looked at. */

import { fieldsOf, listOf, numberOf, textOf } from "./event.js";
import { Poll } from "./poll.js";

/** @typedef {import("./slices.js").QueueRow} QueueRow */
/** @typedef {import("./slices.js").Workers} Workers */

const EVERY_MS = 2000;

/** @param {unknown} value */
function countOf(value) {
  return numberOf(value) ?? 0;
}

/** @param {unknown} value @returns {QueueRow} */
function queueOf(value) {
  const { name, status, pending, running, completed, failed, cancelled, closed, dead } = fieldsOf(value);
  return {
    name: textOf(name) ?? "",
    status: textOf(status) ?? "",
    pending: countOf(pending),
    running: countOf(running),
    completed: countOf(completed),
    failed: countOf(failed),
    cancelled: countOf(cancelled),
    closed: countOf(closed),
    dead: countOf(dead),
  };
}

export class Workload {
  revision = 0;
  /** @type {QueueRow[]|null} */
  queues = null;
  /** @type {Workers|null} */
  workers = null;
  #polls;

  /**
   * @param {import("./overview.js").Ask} ask
   * @param {() => boolean} isWanted
   * @param {import("./stream.js").Clock} clock
   */
  constructor(ask, isWanted, clock) {
    const every = { everyMs: EVERY_MS, isWanted };
    const takeQueues = (/** @type {unknown} */ answer) => this.#takeQueues(answer);
    const takeWorkers = (/** @type {unknown} */ answer) => this.#takeWorkers(answer);
    this.#polls = [
      new Poll({ ...every, ask: () => ask("queue.status"), take: takeQueues }, clock),
      new Poll({ ...every, ask: () => ask("worker.status", { limit: 1 }), take: takeWorkers }, clock),
    ];
  }

  get denied() {
    return this.#polls.find(({ denied }) => denied !== null)?.denied ?? null;
  }

  start() {
    for (const poll of this.#polls) poll.start();
  }

  stop() {
    for (const poll of this.#polls) poll.stop();
  }

  /** What was told to somebody else. */
  forget() {
    this.queues = this.workers = null;
    this.revision += 1;
  }

  hurry() {
    for (const poll of this.#polls) poll.hurry();
  }

  /** @param {unknown} answer */
  #takeQueues(answer) {
    this.queues = listOf(fieldsOf(answer).queues).map(queueOf);
    this.revision += 1;
  }

  /** @param {unknown} answer */
  #takeWorkers(answer) {
    const { total, active, idle, suspect } = fieldsOf(answer);
    const alive = { active: countOf(active), idle: countOf(idle), suspect: countOf(suspect) };
    this.workers = { total: countOf(total), ...alive };
    this.revision += 1;
  }
}
