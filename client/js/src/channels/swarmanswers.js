/**
 * Calls about votes, and what the broker answers: where a proposal or a decision stands, and how a vote was
 * taken. Times are in milliseconds since 1970, by the broker's clock.
 *
 * @typedef {import("../protocol/kinds.js").Shape} Shape
 * @typedef {import("./pubsub.js").CallOptions} CallOptions
 * @typedef {import("./pubsub.js").PubSub} PubSub
 * @typedef {import("./swarmrecords.js").Ballot} Ballot
 * @typedef {import("./swarmrecords.js").Choice} Choice
 * @typedef {import("./swarmrecords.js").ConsensusStage} ConsensusStage
 * @typedef {import("./swarmrecords.js").DecisionStage} DecisionStage
 * @typedef {import("./swarmrecords.js").EndReason} EndReason
 * @typedef {import("./swarmrecords.js").Quorum} Quorum
 * @typedef {import("./swarmrecords.js").VoteValue} VoteValue
 *
 * @typedef {object} Standing what proposals and decisions have in common
 * @property {string} swarmId
 * @property {number} askedAt
 * @property {string[]} [voters]
 * @property {number} [deadlineAt]
 * @property {number} [endedAt]
 * @property {EndReason} [reason]
 * @property {boolean} [duplicate] it was there already when it was asked for
 *
 * @typedef {object} OfProposal
 * @property {string} proposalId
 * @property {ConsensusStage} type
 * @property {string} [proposer]
 * @property {Quorum} quorum
 * @property {number} votesFor
 * @property {number} votesAgainst
 * @property {number} abstentions
 * @property {Ballot[]} votes in the order in which they came
 * @property {unknown} [proposal]
 * @typedef {Standing & OfProposal} ProposalStanding
 *
 * @typedef {object} OfDecision
 * @property {string} decisionId
 * @property {DecisionStage} type
 * @property {string} [asker]
 * @property {string} question
 * @property {string[]} options
 * @property {Choice[]} votes in the order in which they came
 * @property {string} [selectedOption]
 * @property {number} [confidence]
 * @typedef {Standing & OfDecision} DecisionStanding
 *
 * @typedef {object} Voted a vote was counted, or was the same as the voter's first (`duplicate`)
 * @property {string} voter
 * @property {VoteValue} vote
 * @property {ConsensusStage} type where the proposal stands
 * @property {boolean} duplicate
 *
 * @typedef {object} Chosen a choice was counted, or was the same as the voter's first (`duplicate`)
 * @property {string} voter
 * @property {string} option
 * @property {DecisionStage} type where the decision stands
 * @property {boolean} duplicate
 */

import { SwarmwireError } from "../protocol/errors.js";
import { anything, count, finite, flag, listOf, optional, record, text } from "../protocol/kinds.js";
import { ballot, choice, consensusStage, decisionStage, endReason, quorum } from "./swarmrecords.js";

const standing = {
  swarmId: text,
  askedAt: count,
  voters: optional(listOf(text)),
  deadlineAt: optional(count),
  endedAt: optional(count),
  reason: optional(endReason),
  duplicate: optional(flag, false),
};

export const proposalStanding = record({
  ...standing,
  proposalId: text,
  type: consensusStage,
  proposer: optional(text),
  quorum,
  votesFor: count,
  votesAgainst: count,
  abstentions: count,
  votes: listOf(ballot),
  proposal: optional(anything),
});

export const decisionStanding = record({
  ...standing,
  decisionId: text,
  type: decisionStage,
  asker: optional(text),
  question: text,
  options: listOf(text),
  votes: listOf(choice),
  selectedOption: optional(text),
  confidence: optional(finite),
});

export const voted = record({ ...ballot.fields, type: consensusStage, duplicate: flag });

export const chosen = record({ voter: text, option: text, type: decisionStage, duplicate: flag });

/**
 * Call a method and read its answer, the names of its fields as they are in JavaScript. Parameters that are
 * undefined or null are left out.
 *
 * Throws UNAVAILABLE where the caller cannot call, what the broker answers, and INVALID_MESSAGE for another
 * answer.
 *
 * @param {PubSub} caller
 * @param {string} method
 * @param {Record<string, unknown>} params
 * @param {Shape} answer
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 */
export async function ask(caller, method, params, answer, options) {
  if (caller.call === undefined) {
    const sentence = `${method} is a call to the broker, and what this channel stands on cannot call.`;
    throw new SwarmwireError("UNAVAILABLE", sentence);
  }
  const present = Object.entries(params).filter(([, value]) => value !== undefined && value !== null);
  return answer(camelCased(await caller.call(method, Object.fromEntries(present), options)), "data");
}

/**
 * Calls have names like `votes_for`; only those of the answer itself, not what is in it, are changed.
 *
 * @param {unknown} answer
 */
function camelCased(answer) {
  if (typeof answer !== "object" || answer === null) {
    return answer;
  }
  const named = Object.entries(answer).map(([name, value]) => [camelCase(name), value]);
  return Object.fromEntries(named);
}

/** @param {string} name */
function camelCase(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}
