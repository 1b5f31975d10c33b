/**
 * What is published about an agent, one record an event.
 *
 * @typedef {import("./record.js").Fault} Fault
 * @typedef {import("./record.js").RecordKind} RecordKind
 *
 * @typedef {"idle" | "busy" | "error" | "offline"} AgentState
 * @typedef {"debug" | "info" | "warn" | "error"} LogLevel
 *
 * @typedef {object} HealthMetrics how an agent's process fares; `uptime` is in milliseconds
 * @property {number} [cpu]
 * @property {number} [memory]
 * @property {number} [uptime]
 * @property {number} [tasksCompleted]
 * @property {number} [errorCount]
 *
 * @typedef {object} WorkMetrics how an agent's work goes; `responseTime` is in milliseconds
 * @property {number} [responseTime]
 * @property {number} [throughput]
 * @property {number} [errorRate]
 * @property {number} [queueSize]
 * @property {number} [activeConnections]
 *
 * @typedef {{agentId: string, timestamp: number}} OfAgent
 * @typedef {OfAgent & {status: AgentState, message?: string, metadata?: Record<string, unknown>}} AgentStatus
 * @typedef {OfAgent & {healthy: boolean, metrics: HealthMetrics}} AgentHealth
 * @typedef {OfAgent & {metrics: WorkMetrics}} AgentMetrics
 * @typedef {OfAgent & {level: LogLevel, message: string, context?: Record<string, unknown>}} AgentLog
 * @typedef {OfAgent & {metadata?: Record<string, unknown>}} AgentStarted
 * @typedef {OfAgent & {reason?: string}} AgentStopped
 * @typedef {OfAgent & {error: Fault, context?: Record<string, unknown>}} AgentError
 *
 * @typedef {object} AgentRecords the record of each event
 * @property {AgentStatus} status
 * @property {AgentHealth} health
 * @property {AgentMetrics} metrics
 * @property {AgentLog} log
 * @property {AgentStarted} started
 * @property {AgentStopped} stopped
 * @property {AgentError} error
 */

import { anything, count, flag, mapOf, oneOf, optional, record, text } from "../protocol/kinds.js";
import { fault, number, recordOf } from "./record.js";

const facts = optional(mapOf(anything));
const agentId = text;

const health = record({
  cpu: optional(number),
  memory: optional(number),
  uptime: optional(number),
  tasksCompleted: optional(count),
  errorCount: optional(count),
});

const work = record({
  responseTime: optional(number),
  throughput: optional(number),
  errorRate: optional(number),
  queueSize: optional(count),
  activeConnections: optional(count),
});

/**
 * The events of an agent, by the last segment of their topic.
 *
 * @type {ReadonlyMap<string, RecordKind>}
 */
export const AGENT_EVENTS = new Map(
  Object.entries({
    status: recordOf({
      agentId,
      status: oneOf("idle", "busy", "error", "offline"),
      message: optional(text),
      metadata: facts,
    }),
    health: recordOf({ agentId, healthy: flag, metrics: health }, { metrics: {} }),
    metrics: recordOf({ agentId, metrics: work }),
    log: recordOf({ agentId, level: oneOf("debug", "info", "warn", "error"), message: text, context: facts }),
    started: recordOf({ agentId, metadata: facts }),
    stopped: recordOf({ agentId, reason: optional(text) }),
    error: recordOf({ agentId, error: fault, context: facts }),
  }),
);
