/** Voting in swarms: the broker counts, and is asked by calls. */

import { Channel } from "./channel.js";
import { ask, chosen, decisionStanding, proposalStanding, voted } from "./swarmanswers.js";
import { swarmPattern } from "./topics.js";
import { waitFor } from "./waiting.js";

/**
 * @typedef {import("./pubsub.js").CallOptions} CallOptions
 * @typedef {import("./swarmanswers.js").Chosen} Chosen
 * @typedef {import("./swarmanswers.js").DecisionStanding} DecisionStanding
 * @typedef {import("./swarmanswers.js").ProposalStanding} ProposalStanding
 * @typedef {import("./swarmanswers.js").Voted} Voted
 * @typedef {import("./swarmrecords.js").Consensus} Consensus
 * @typedef {import("./swarmrecords.js").Decision} Decision
 * @typedef {import("./swarmrecords.js").Quorum} Quorum
 * @typedef {import("./swarmrecords.js").SwarmRecords} SwarmRecords
 * @typedef {import("./swarmrecords.js").VoteValue} VoteValue
 * @typedef {import("./waiting.js").Change} Change
 * @typedef {import("./waiting.js").WaitOptions} WaitOptions
 *
 * @typedef {object} ProposeOptions
 * @property {string} [proposalId] without one the broker makes it
 * @property {readonly string[]} [voters] without them everyone may vote
 * @property {Quorum} [quorum] how much agreement it needs; by default the majority
 * @property {number} [deadlineMs] from now; without it, it is open until votes decide
 *
 * @typedef {object} DecideOptions
 * @property {string} [decisionId] without one the broker makes it
 * @property {readonly string[]} [voters] without them everyone may choose
 * @property {number} [deadlineMs] from now; without it, it is open until votes decide
 */

const FINAL = new Set(["accepted", "rejected", "decided", "undecided"]);

/**
 * What a swarm's channel can do about votes. Each call takes the `timeoutMs` of a call, and throws what the
 * broker answers.
 *
 * @extends {Channel<SwarmRecords>}
 */
export class Voting extends Channel {
  // ---- Proposals

  /**
   * Have the swarm vote on a proposal, any JSON. The same proposal by the same proposer again is harmless.
   *
   * Throws CONFLICT if there is another of this id, INVALID_MESSAGE for what could never end.
   *
   * @param {string} swarmId
   * @param {unknown} [proposal]
   * @param {ProposeOptions & CallOptions} [options]
   * @returns {Promise<ProposalStanding>}
   */
  propose(swarmId, proposal, { proposalId, voters, quorum = "majority", deadlineMs, ...options } = {}) {
    const params = {
      swarm_id: swarmId,
      proposal_id: proposalId,
      proposal,
      voters,
      quorum,
      deadline: deadlineMs,
    };
    return ask(this.pubsub, "swarm.propose", params, proposalStanding, options);
  }

  /**
   * Vote on a proposal, under one's own name, or for the agent `voter`. The first vote counts.
   *
   * Throws CONFLICT if the voter has voted otherwise or the proposal has ended, PERMISSION_DENIED for who is
   * no voter or may not speak for this one, NOT_FOUND.
   *
   * @param {string} swarmId
   * @param {string} proposalId
   * @param {VoteValue} vote
   * @param {string} [voter]
   * @param {CallOptions} [options]
   * @returns {Promise<Voted>}
   */
  vote(swarmId, proposalId, vote, voter, options) {
    const params = { swarm_id: swarmId, proposal_id: proposalId, vote, voter };
    return ask(this.pubsub, "swarm.vote", params, voted, options);
  }

  /**
   * The same as `vote`.
   *
   * @param {string} swarmId
   * @param {string} proposalId
   * @param {VoteValue} vote
   * @param {string} [voter]
   * @param {CallOptions} [options]
   */
  submitVote(swarmId, proposalId, vote, voter, options) {
    return this.vote(swarmId, proposalId, vote, voter, options);
  }

  /**
   * Where a proposal stands. Throws NOT_FOUND.
   *
   * @param {string} swarmId
   * @param {string} proposalId
   * @param {CallOptions} [options]
   * @returns {Promise<ProposalStanding>}
   */
  proposal(swarmId, proposalId, options) {
    const params = { swarm_id: swarmId, proposal_id: proposalId };
    return ask(this.pubsub, "swarm.proposal", params, proposalStanding, options);
  }

  /**
   * End one's own proposal: it is rejected, with the reason `withdrawn`. Harmless twice.
   *
   * Throws PERMISSION_DENIED for others than the proposer and operators, CONFLICT if it has ended.
   *
   * @param {string} swarmId
   * @param {string} proposalId
   * @param {CallOptions} [options]
   * @returns {Promise<ProposalStanding>}
   */
  withdraw(swarmId, proposalId, options) {
    const params = { swarm_id: swarmId, proposal_id: proposalId };
    return ask(this.pubsub, "swarm.withdraw", params, proposalStanding, options);
  }

  // ---- Decisions

  /**
   * Have the swarm choose one of several options, the one with most votes; see `propose` for the rest.
   *
   * @param {string} swarmId
   * @param {string} question
   * @param {readonly string[]} choices
   * @param {DecideOptions & CallOptions} [options]
   * @returns {Promise<DecisionStanding>}
   */
  decide(swarmId, question, choices, { decisionId, voters, deadlineMs, ...options } = {}) {
    const params = {
      swarm_id: swarmId,
      decision_id: decisionId,
      question,
      options: choices,
      voters,
      deadline: deadlineMs,
    };
    return ask(this.pubsub, "swarm.decide", params, decisionStanding, options);
  }

  /**
   * Choose one of the options of a decision; see `vote` for the rest.
   *
   * @param {string} swarmId
   * @param {string} decisionId
   * @param {string} option
   * @param {number} [confidence]
   * @param {string} [voter]
   * @param {CallOptions} [options]
   * @returns {Promise<Chosen>}
   */
  choose(swarmId, decisionId, option, confidence, voter, options) {
    const params = { swarm_id: swarmId, decision_id: decisionId, option, confidence, voter };
    return ask(this.pubsub, "swarm.choose", params, chosen, options);
  }

  /**
   * Where a decision stands. Throws NOT_FOUND.
   *
   * @param {string} swarmId
   * @param {string} decisionId
   * @param {CallOptions} [options]
   * @returns {Promise<DecisionStanding>}
   */
  decision(swarmId, decisionId, options) {
    const params = { swarm_id: swarmId, decision_id: decisionId };
    return ask(this.pubsub, "swarm.decision", params, decisionStanding, options);
  }

  /**
   * End one's own decision: it is undecided, with the reason `withdrawn`. See `withdraw`.
   *
   * @param {string} swarmId
   * @param {string} decisionId
   * @param {CallOptions} [options]
   * @returns {Promise<DecisionStanding>}
   */
  withdrawDecision(swarmId, decisionId, options) {
    const params = { swarm_id: swarmId, decision_id: decisionId };
    return ask(this.pubsub, "swarm.withdraw", params, decisionStanding, options);
  }

  // ---- Waiting

  /**
   * What was voted on a proposal, whether it is decided already or still to be: accepted or rejected.
   *
   * Throws TIMEOUT naming the proposal, if it was not decided in time; UNAVAILABLE if the client was
   * disconnected first; INVALID_MESSAGE if the answer cannot be read.
   *
   * @param {string} swarmId
   * @param {string} proposalId
   * @param {WaitOptions} [options]
   * @returns {Promise<Consensus>}
   */
  async waitForConsensus(swarmId, proposalId, options = {}) {
    const what = `the consensus on proposal ${JSON.stringify(proposalId)}`;
    const record = await this.#waitForEnd("consensus", swarmId, proposalId, what, options);
    return /** @type {Consensus} */ (record);
  }

  /**
   * What was chosen in a decision, whether it has ended already or is still to: decided or undecided. See
   * `waitForConsensus` for the rest.
   *
   * @param {string} swarmId
   * @param {string} decisionId
   * @param {WaitOptions} [options]
   * @returns {Promise<Decision>}
   */
  async waitForDecision(swarmId, decisionId, options = {}) {
    const what = `the end of decision ${JSON.stringify(decisionId)}`;
    const record = await this.#waitForEnd("decision", swarmId, decisionId, what, options);
    return /** @type {Decision} */ (record);
  }

  /**
   * @param {"consensus" | "decision"} event
   * @param {string} swarmId
   * @param {string} itemId
   * @param {string} what
   * @param {WaitOptions} options
   * @returns {Promise<unknown>}
   */
  async #waitForEnd(event, swarmId, itemId, what, options) {
    const wanted = {
      pattern: swarmPattern(swarmId, event, itemId),
      events: new Set([event]),
      isAnswer,
      what: `${what} of swarm ${JSON.stringify(swarmId)}`,
    };
    return (await waitFor(this.pubsub, wanted, options)).record;
  }
}

/** @param {Change} change */
function isAnswer({ record }) {
  return FINAL.has(String(record.type));
}
