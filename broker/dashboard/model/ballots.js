/** The proposals and decisions of a swarm, from the events that the broker publishes of them. */

import { cut, previewOf } from "./jsontext.js";
import { fieldsOf, listOf, numberOf, textOf } from "./event.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./slices.js").Proposal} Proposal */
/** @typedef {import("./slices.js").Decision} Decision */

/** Votes told of one proposal or decision. */
const VOTES = 1000;
/** Characters of a name or an option. */
const NAME = 200;

const ENDED = new Set(["accepted", "rejected", "decided", "undecided"]);

/** @param {unknown} value */
function nameOf(value) {
  return cut(textOf(value) ?? "", NAME);
}

/** @param {unknown} value @returns {string[]|null} */
function namesOf(value) {
  return Array.isArray(value) ? value.slice(0, VOTES).map(nameOf) : null;
}

/** @param {unknown} quorum @returns {string|null} in words */
function quorumOf(quorum) {
  if (typeof quorum === "string") return nameOf(quorum);
  const { votes, share } = fieldsOf(quorum);
  if (typeof votes === "number") return `${votes} votes`;
  return typeof share === "number" ? `${Math.round(share * 1000) / 10} %` : null;
}

/** @param {unknown} value */
function proposalVote(value) {
  const { voter, vote } = fieldsOf(value);
  return { voter: nameOf(voter), vote: nameOf(vote) };
}

/** @param {unknown} value */
function decisionVote(value) {
  const { voter, option, confidence } = fieldsOf(value);
  return { voter: nameOf(voter), option: nameOf(option), confidence: numberOf(confidence) };
}

/**
 * Adds a vote, or replaces that of the same voter.
 * @template {{voter: string}} V
 * @param {V[]} votes
 * @param {V} vote
 */
function cast(votes, vote) {
  const at = votes.findIndex(({ voter }) => voter === vote.voter);
  if (at >= 0) votes[at] = vote;
  else if (votes.length < VOTES) votes.push(vote);
}

/** @param {string} id @returns {Proposal} */
export function makeProposal(id) {
  return {
    id, type: "proposed", proposal: "", proposer: null, quorum: null, voters: null, votes: [], result: null,
    reason: null, deadlineMs: null, tsMs: 0,
    get hasEnded() {
      return ENDED.has(this.type);
    },
  };
}

/** @param {string} id @returns {Decision} */
export function makeDecision(id) {
  return {
    id, type: "asked", question: "", options: [], voters: null, votes: [], result: null, reason: null,
    deadlineMs: null, tsMs: 0,
    get hasEnded() {
      return ENDED.has(this.type);
    },
  };
}

/** @param {Proposal} proposal @param {TopicEvent} event  of `consensus` */
export function takeConsensus(proposal, event) {
  const data = fieldsOf(event.data);
  takeBallot(proposal, data, event.ts);
  if (data.proposal !== undefined) proposal.proposal = previewOf(data.proposal);
  proposal.proposer = textOf(data.proposer) ?? proposal.proposer;
  proposal.quorum = quorumOf(data.quorum) ?? proposal.quorum;
  if (Array.isArray(data.votes)) proposal.votes = data.votes.slice(0, VOTES).map(proposalVote);
  const { accepted, votesFor, votesAgainst, abstentions } = fieldsOf(data.result);
  if (typeof accepted !== "boolean") return;
  const count = (/** @type {unknown} */ value) => numberOf(value) ?? 0;
  proposal.result = {
    accepted, votesFor: count(votesFor), votesAgainst: count(votesAgainst), abstentions: count(abstentions),
  };
}

/** @param {Proposal} proposal @param {TopicEvent} event */
export function takeVote(proposal, event) {
  cast(proposal.votes, proposalVote(event.data));
  if (!proposal.hasEnded) proposal.type = "voting";
  proposal.tsMs = event.ts;
}

/** @param {Decision} decision @param {TopicEvent} event */
export function takeDecision(decision, event) {
  const data = fieldsOf(event.data);
  takeBallot(decision, data, event.ts);
  decision.question = cut(textOf(data.question) ?? decision.question, NAME);
  if (data.options !== undefined) decision.options = listOf(data.options).slice(0, VOTES).map(nameOf);
  if (Array.isArray(data.votes)) decision.votes = data.votes.slice(0, VOTES).map(decisionVote);
  const { selectedOption, confidence } = fieldsOf(data.result);
  if (selectedOption !== undefined) {
    decision.result = { selectedOption: nameOf(selectedOption), confidence: numberOf(confidence) };
  }
}

/** @param {Decision} decision @param {TopicEvent} event */
export function takeChoice(decision, event) {
  cast(decision.votes, decisionVote(event.data));
  decision.tsMs = event.ts;
}

/** @param {Proposal|Decision} ballot @param {Record<string, unknown>} data @param {number} tsMs */
function takeBallot(ballot, data, tsMs) {
  const type = textOf(data.type);
  // What has ended stays so, though the news of a vote may come behind its end.
  if (type !== null && (!ballot.hasEnded || ENDED.has(type))) ballot.type = type;
  ballot.voters = namesOf(data.voters) ?? ballot.voters;
  ballot.reason = textOf(data.reason) ?? ballot.reason;
  ballot.deadlineMs = numberOf(data.deadlineAt) ?? ballot.deadlineMs;
  ballot.tsMs = tsMs;
}
