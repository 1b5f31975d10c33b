/** The channel of swarms: who belongs to them, how they are wired, what they vote on. */

import { SWARM } from "./table.js";
import { Voting } from "./voting.js";

/**
 * @typedef {import("./pubsub.js").PubSub} PubSub
 * @typedef {import("./pubsub.js").PublishOptions} PublishOptions
 * @typedef {import("./swarmrecords.js").CoordinationType} CoordinationType
 * @typedef {import("./swarmrecords.js").SwarmCondition} SwarmCondition
 * @typedef {import("./swarmrecords.js").Topology} Topology
 */

/**
 * Publishes and watches the events of swarms, has them vote, and waits for what was voted.
 *
 * Each publishing method takes the options of a publish and gives what it gives; see `publish` for what it
 * throws. Votes, and what they came to, can be watched but not published: the broker counts them, and is
 * asked by calls. These take the `timeoutMs` of a call, and throw what the broker answers.
 */
export class SwarmChannel extends Voting {
  /** @param {PubSub} pubsub */
  constructor(pubsub) {
    super(pubsub, SWARM);
  }

  /**
   * Say that the swarm is wired anew.
   *
   * @param {string} swarmId
   * @param {Topology} newTopology
   * @param {Topology} [oldTopology]
   * @param {string} [reason]
   * @param {PublishOptions} [options]
   */
  topology(swarmId, newTopology, oldTopology, reason, options) {
    return this.publish("topology", { swarmId, newTopology, oldTopology, reason }, options);
  }

  /**
   * Say that there is a new swarm: its state, with nobody in it yet and nothing wrong.
   *
   * @param {string} swarmId
   * @param {Topology} topology
   * @param {PublishOptions} [options]
   */
  initialized(swarmId, topology, options) {
    const state = { topology, agentCount: 0, activeAgents: 0, queueSize: 0, healthScore: 100 };
    return this.state(swarmId, state, options);
  }

  /**
   * Say that an agent has become a member.
   *
   * @param {string} swarmId
   * @param {string} agentId
   * @param {string} [role]
   * @param {PublishOptions} [options]
   */
  joined(swarmId, agentId, role, options) {
    return this.publish("agent-joined", { swarmId, agentId, role }, options);
  }

  /**
   * Say that an agent is a member no longer.
   *
   * @param {string} swarmId
   * @param {string} agentId
   * @param {string} [reason]
   * @param {PublishOptions} [options]
   */
  left(swarmId, agentId, reason, options) {
    return this.publish("agent-left", { swarmId, agentId, reason }, options);
  }

  /**
   * Say how the swarm is now.
   *
   * @param {string} swarmId
   * @param {SwarmCondition} state
   * @param {PublishOptions} [options]
   */
  state(swarmId, state, options) {
    return this.publish("state", { swarmId, state }, options);
  }

  /**
   * Say how the swarm shares its work from here.
   *
   * @param {string} swarmId
   * @param {CoordinationType} type
   * @param {unknown} [data]
   * @param {PublishOptions} [options]
   */
  coordination(swarmId, type, data, options) {
    return this.publish("coordination", { swarmId, type, data }, options);
  }
}
