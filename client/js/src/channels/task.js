/** The channel of tasks: from their creation to the end they come to. */

import { Channel } from "./channel.js";
import { faultOf } from "./record.js";
import { TASK } from "./table.js";
import { taskPattern } from "./topics.js";
import { waitFor } from "./waiting.js";

/**
 * @typedef {import("./pubsub.js").PubSub} PubSub
 * @typedef {import("./pubsub.js").PublishOptions} PublishOptions
 * @typedef {import("./record.js").Fault} Fault
 * @typedef {import("./taskrecords.js").TaskOutcome} TaskOutcome
 * @typedef {import("./taskrecords.js").TaskRecords} TaskRecords
 * @typedef {import("./taskrecords.js").TaskStatus} TaskStatus
 * @typedef {import("./waiting.js").WaitOptions} WaitOptions
 * @typedef {Record<string, unknown>} Facts
 */

const ENDS = new Set(["completed", "failed", "cancelled"]);

/**
 * Publishes and watches the events of tasks, and waits for their end. Each publishing method takes the
 * options of a publish and gives what it gives; see `publish` for what it throws. A `duration` and a `delay`
 * are in milliseconds.
 *
 * @extends {Channel<TaskRecords>}
 */
export class TaskChannel extends Channel {
  /** @param {PubSub} pubsub */
  constructor(pubsub) {
    super(pubsub, TASK);
  }

  /**
   * Say that there is a new task.
   *
   * @param {string} taskId
   * @param {string} type
   * @param {number} [priority]
   * @param {PublishOptions & {agentId?: string, metadata?: Facts}} [options]
   */
  created(taskId, type, priority, { agentId, metadata, ...options } = {}) {
    return this.publish("created", { taskId, type, priority, agentId, metadata }, options);
  }

  /**
   * Say which agent is to do the task.
   *
   * @param {string} taskId
   * @param {string} agentId
   * @param {PublishOptions} [options]
   */
  assigned(taskId, agentId, options) {
    return this.publish("assigned", { taskId, agentId }, options);
  }

  /**
   * Say that work on the task has begun.
   *
   * @param {string} taskId
   * @param {string} [agentId]
   * @param {PublishOptions} [options]
   */
  started(taskId, agentId, options) {
    return this.publish("started", { taskId, agentId }, options);
  }

  /**
   * Say how far the task is, from 0 to 100.
   *
   * @param {string} taskId
   * @param {number} progress
   * @param {string} [message]
   * @param {PublishOptions & {status?: TaskStatus}} [options]
   */
  progress(taskId, progress, message, { status = "in-progress", ...options } = {}) {
    return this.publish("progress", { taskId, progress, status, message }, options);
  }

  /**
   * Say something to the task, or for it; `sender` is only a name to show.
   *
   * @param {string} taskId
   * @param {string} message
   * @param {unknown} [data]
   * @param {PublishOptions & {sender?: string}} [options]
   */
  message(taskId, message, data, { sender, ...options } = {}) {
    return this.publish("message", { taskId, message, sender, data }, options);
  }

  /**
   * Say that something went wrong in the task, which goes on or will be said to have failed.
   *
   * @param {string} taskId
   * @param {Fault | Error | string} error
   * @param {PublishOptions} [options]
   */
  error(taskId, error, options) {
    return this.publish("error", { taskId, error: faultOf(error) }, options);
  }

  /**
   * Say that the task is tried again, for the `attempt`th time from 1.
   *
   * @param {string} taskId
   * @param {number} attempt
   * @param {number} [delay]
   * @param {Fault | Error | string} [error]
   * @param {PublishOptions} [options]
   */
  retrying(taskId, attempt, delay, error, options) {
    const fault = error === undefined ? undefined : faultOf(error);
    return this.publish("retrying", { taskId, attempt, delay, error: fault }, options);
  }

  /**
   * Say that the task is done.
   *
   * @param {string} taskId
   * @param {unknown} [result]
   * @param {PublishOptions & {duration?: number}} [options]
   */
  completed(taskId, result, { duration, ...options } = {}) {
    return this.publish("completed", { taskId, status: "completed", result, duration }, options);
  }

  /**
   * Say that the task has failed for good.
   *
   * @param {string} taskId
   * @param {Fault | Error | string} error
   * @param {PublishOptions & {result?: unknown, duration?: number}} [options]
   */
  failed(taskId, error, { result, duration, ...options } = {}) {
    const fault = faultOf(error);
    return this.publish("failed", { taskId, status: "failed", result, error: fault, duration }, options);
  }

  /**
   * Say that the task was given up.
   *
   * @param {string} taskId
   * @param {string} [reason]
   * @param {PublishOptions & {duration?: number}} [options]
   */
  cancelled(taskId, reason, { duration, ...options } = {}) {
    return this.publish("cancelled", { taskId, status: "cancelled", reason, duration }, options);
  }

  /**
   * Say that the task is put away.
   *
   * @param {string} taskId
   * @param {string} [reason]
   * @param {PublishOptions} [options]
   */
  closed(taskId, reason, options) {
    return this.publish("closed", { taskId, reason }, options);
  }

  /**
   * Say that a task that had stopped goes on.
   *
   * @param {string} taskId
   * @param {string} [agentId]
   * @param {PublishOptions} [options]
   */
  resumed(taskId, agentId, options) {
    return this.publish("resumed", { taskId, agentId }, options);
  }

  /**
   * The end of the task, whether it has come already or is still to come: completed, failed or cancelled.
   *
   * For a task that had ended and was resumed, pass the cursor of its resumption as `from`, so that the
   * former end is not taken for the new one.
   *
   * Throws TIMEOUT naming the task, if the end was not there in time; UNAVAILABLE if the client was
   * disconnected first; INVALID_MESSAGE if the end cannot be read.
   *
   * @param {string} taskId
   * @param {WaitOptions} [options]
   * @returns {Promise<TaskOutcome>}
   */
  async waitForCompletion(taskId, options = {}) {
    const wanted = {
      pattern: taskPattern(taskId),
      events: ENDS,
      isAnswer: () => true,
      what: `the end of task ${JSON.stringify(taskId)}`,
    };
    const { record } = await waitFor(this.pubsub, wanted, options);
    return /** @type {TaskOutcome} */ (/** @type {unknown} */ (record));
  }
}
