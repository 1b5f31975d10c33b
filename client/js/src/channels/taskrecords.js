/**
 * What is published about a task, one record an event. A `duration` and a `delay` are in milliseconds.
 *
 * @typedef {import("./record.js").Fault} Fault
 * @typedef {import("./record.js").RecordKind} RecordKind
 *
 * @typedef {"pending" | "in-progress" | "completed" | "failed" | "cancelled"} TaskStatus
 *
 * @typedef {{taskId: string, timestamp: number}} OfTask
 *
 * @typedef {object} Creation
 * @property {string} type
 * @property {number} [priority]
 * @property {string} [agentId]
 * @property {Record<string, unknown>} [metadata]
 * @property {string} [queue] where a broker that manages it keeps it
 * @property {string} [retriedFrom] the ended task that it repeats
 * @typedef {OfTask & Creation} TaskCreated
 *
 * @typedef {object} Assignment
 * @property {string} agentId
 * @property {number} [token] of the agent's claim, where the broker manages the task
 * @property {number} [attempt] counts the claims from 1
 * @typedef {OfTask & Assignment} TaskAssigned
 *
 * @typedef {OfTask & {agentId?: string}} TaskStarted
 * @typedef {OfTask & {progress: number, status: TaskStatus, message?: string}} TaskProgress
 * @typedef {OfTask & {message: string, sender?: string, data?: unknown}} TaskMessage
 * @typedef {OfTask & {error: Fault}} TaskError
 * @typedef {OfTask & {attempt: number, delay?: number, error?: Fault}} TaskRetrying
 *
 * @typedef {OfTask & {result?: unknown, duration?: number}} Ended
 * @typedef {Ended & {status: "completed", error?: Fault}} TaskCompleted
 * @typedef {Ended & {status: "failed", error: Fault, dead?: boolean}} TaskFailed `dead`: no attempt was left
 * @typedef {Ended & {status: "cancelled", error?: Fault, reason?: string}} TaskCancelled
 * @typedef {TaskCompleted | TaskFailed | TaskCancelled} TaskOutcome
 *
 * @typedef {OfTask & {reason?: string}} TaskClosed
 * @typedef {OfTask & {agentId?: string}} TaskResumed
 *
 * @typedef {object} TaskRecords the record of each event
 * @property {TaskCreated} created
 * @property {TaskAssigned} assigned
 * @property {TaskStarted} started
 * @property {TaskProgress} progress
 * @property {TaskMessage} message
 * @property {TaskError} error
 * @property {TaskRetrying} retrying
 * @property {TaskCompleted} completed
 * @property {TaskFailed} failed
 * @property {TaskCancelled} cancelled
 * @property {TaskClosed} closed
 * @property {TaskResumed} resumed
 */

import { anything, count, finite, flag, mapOf, oneOf, optional, text } from "../protocol/kinds.js";
import { fault, number, percent, recordOf } from "./record.js";

const taskId = text;
const ended = { result: optional(anything), duration: optional(number) };

/**
 * The events of a task, by the last segment of their topic.
 *
 * @type {ReadonlyMap<string, RecordKind>}
 */
export const TASK_EVENTS = new Map(
  Object.entries({
    created: recordOf({
      taskId,
      type: text,
      priority: optional(finite),
      agentId: optional(text),
      metadata: optional(mapOf(anything)),
      queue: optional(text),
      retriedFrom: optional(text),
    }),
    assigned: recordOf({ taskId, agentId: text, token: optional(count), attempt: optional(count) }),
    started: recordOf({ taskId, agentId: optional(text) }),
    progress: recordOf(
      {
        taskId,
        progress: percent,
        status: oneOf("pending", "in-progress", "completed", "failed", "cancelled"),
        message: optional(text),
      },
      { status: "in-progress" },
    ),
    message: recordOf({ taskId, message: text, sender: optional(text), data: optional(anything) }),
    error: recordOf({ taskId, error: fault }),
    retrying: recordOf({ taskId, attempt: count, delay: optional(number), error: optional(fault) }),
    completed: recordOf(
      { taskId, status: oneOf("completed"), ...ended, error: optional(fault) },
      { status: "completed" },
    ),
    failed: recordOf(
      { taskId, status: oneOf("failed"), ...ended, error: fault, dead: optional(flag) },
      { status: "failed" },
    ),
    cancelled: recordOf(
      { taskId, status: oneOf("cancelled"), ...ended, error: optional(fault), reason: optional(text) },
      { status: "cancelled" },
    ),
    closed: recordOf({ taskId, reason: optional(text) }),
    resumed: recordOf({ taskId, agentId: optional(text) }),
  }),
);
