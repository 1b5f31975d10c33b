/** The channel of agents: how they are, what they do, what they log. */

import { Channel } from "./channel.js";
import { faultOf } from "./record.js";
import { AGENT } from "./table.js";

/**
 * @typedef {import("./agentrecords.js").AgentRecords} AgentRecords
 * @typedef {import("./agentrecords.js").AgentState} AgentState
 * @typedef {import("./agentrecords.js").HealthMetrics} HealthMetrics
 * @typedef {import("./agentrecords.js").LogLevel} LogLevel
 * @typedef {import("./agentrecords.js").WorkMetrics} WorkMetrics
 * @typedef {import("./pubsub.js").PubSub} PubSub
 * @typedef {import("./pubsub.js").PublishOptions} PublishOptions
 * @typedef {import("./record.js").Fault} Fault
 * @typedef {Record<string, unknown>} Facts
 */

/**
 * Publishes and watches the events of agents. Each publishing method takes the options of a publish and gives
 * what it gives; see `publish` for what it throws.
 *
 * @extends {Channel<AgentRecords>}
 */
export class AgentChannel extends Channel {
  /** @param {PubSub} pubsub */
  constructor(pubsub) {
    super(pubsub, AGENT);
  }

  /**
   * Say what the agent is doing now.
   *
   * @param {string} agentId
   * @param {AgentState} status
   * @param {string} [message]
   * @param {PublishOptions & {metadata?: Facts}} [options]
   */
  status(agentId, status, message, { metadata, ...options } = {}) {
    return this.publish("status", { agentId, status, message, metadata }, options);
  }

  /**
   * Say whether the agent is well.
   *
   * @param {string} agentId
   * @param {boolean} healthy
   * @param {HealthMetrics} [metrics]
   * @param {PublishOptions} [options]
   */
  health(agentId, healthy, metrics = {}, options) {
    return this.publish("health", { agentId, healthy, metrics }, options);
  }

  /**
   * Give the figures of the agent's work.
   *
   * @param {string} agentId
   * @param {WorkMetrics} metrics
   * @param {PublishOptions} [options]
   */
  metrics(agentId, metrics, options) {
    return this.publish("metrics", { agentId, metrics }, options);
  }

  /**
   * Write a line to the agent's log.
   *
   * @param {string} agentId
   * @param {LogLevel} level
   * @param {string} message
   * @param {Facts} [context]
   * @param {PublishOptions} [options]
   */
  log(agentId, level, message, context, options) {
    return this.publish("log", { agentId, level, message, context }, options);
  }

  /**
   * Say that the agent has begun to run.
   *
   * @param {string} agentId
   * @param {Facts} [metadata]
   * @param {PublishOptions} [options]
   */
  started(agentId, metadata, options) {
    return this.publish("started", { agentId, metadata }, options);
  }

  /**
   * Say that the agent has ended, as it was meant to.
   *
   * @param {string} agentId
   * @param {string} [reason]
   * @param {PublishOptions} [options]
   */
  stopped(agentId, reason, options) {
    return this.publish("stopped", { agentId, reason }, options);
  }

  /**
   * Say that something failed in the agent; of an error its text and name are sent, not its stack.
   *
   * @param {string} agentId
   * @param {Fault | Error | string} error
   * @param {Facts} [context]
   * @param {PublishOptions} [options]
   */
  error(agentId, error, context, options) {
    return this.publish("error", { agentId, error: faultOf(error), context }, options);
  }
}
