/**
 * What is published about a swarm, one record an event. A `deadlineAt` is in milliseconds since 1970, by the
 * broker's clock.
 *
 * @typedef {import("../protocol/kinds.js").Kind} Kind
 * @typedef {import("./record.js").RecordKind} RecordKind
 *
 * @typedef {"hierarchical" | "mesh" | "hierarchical-mesh" | "adaptive"} Topology
 * @typedef {"task-assignment" | "resource-allocation" | "priority-change" | "workload-balance"}
 *   CoordinationType
 * @typedef {"proposed" | "voting" | "accepted" | "rejected"} ConsensusStage
 * @typedef {"asked" | "decided" | "undecided"} DecisionStage
 * @typedef {"yes" | "no" | "abstain"} VoteValue
 * @typedef {"votes" | "deadline" | "withdrawn"} EndReason
 * @typedef {"majority" | "two-thirds" | "unanimous" | {votes: number} | {share: number}} Quorum
 *
 * @typedef {{swarmId: string, timestamp: number}} OfSwarm
 * @typedef {OfSwarm & {newTopology: Topology, oldTopology?: Topology, reason?: string}} SwarmTopology
 * @typedef {OfSwarm & {agentId: string, role?: string}} SwarmAgentJoined
 * @typedef {OfSwarm & {agentId: string, reason?: string}} SwarmAgentLeft
 *
 * @typedef {object} SwarmCondition the swarm in figures; `healthScore` is from 0 to 100
 * @property {Topology} topology
 * @property {number} agentCount
 * @property {number} activeAgents
 * @property {number} queueSize
 * @property {number} healthScore
 * @typedef {OfSwarm & {state: SwarmCondition}} SwarmState
 *
 * @typedef {OfSwarm & {type: CoordinationType, data?: unknown}} SwarmCoordination
 *
 * @typedef {{voter: string, vote: VoteValue}} Ballot
 * @typedef {OfSwarm & {proposalId: string} & Ballot} Vote
 *
 * @typedef {{accepted: boolean, votesFor: number, votesAgainst: number, abstentions: number}} Tally
 * @typedef {object} Proposal
 * @property {string} proposalId
 * @property {ConsensusStage} type `accepted` and `rejected` are final, with `votes`, a `result` and a
 *   `reason`
 * @property {unknown} [proposal]
 * @property {string} [proposer]
 * @property {Quorum} [quorum]
 * @property {string[]} [voters] without it everyone votes
 * @property {number} [deadlineAt]
 * @property {Ballot[]} [votes]
 * @property {Tally} [result]
 * @property {EndReason} [reason]
 * @typedef {OfSwarm & Proposal} Consensus
 *
 * @typedef {{voter: string, option: string, confidence?: number}} Choice
 * @typedef {OfSwarm & {decisionId: string} & Choice} DecisionChoice
 *
 * @typedef {object} Question
 * @property {string} decisionId
 * @property {string} question
 * @property {string[]} options
 * @property {DecisionStage} type `decided` and `undecided` are final; `decided` has a `result`
 * @property {string} [asker]
 * @property {string[]} [voters] without it everyone chooses
 * @property {number} [deadlineAt]
 * @property {Choice[]} [votes]
 * @property {{selectedOption: string, confidence?: number}} [result]
 * @property {EndReason} [reason]
 * @typedef {OfSwarm & Question} Decision
 *
 * @typedef {object} PlainSwarmRecords
 * @property {SwarmTopology} topology
 * @property {SwarmState} state
 * @property {SwarmCoordination} coordination
 * @property {Consensus} consensus
 * @property {Vote} vote
 * @property {Decision} decision
 * @property {DecisionChoice} choice
 * @typedef {{"agent-joined": SwarmAgentJoined, "agent-left": SwarmAgentLeft}} SwarmMembership
 * @typedef {PlainSwarmRecords & SwarmMembership} SwarmRecords the record of each event
 */

import {
  anything,
  between,
  count,
  finite,
  flag,
  integer,
  listOf,
  misfit,
  oneOf,
  optional,
  record,
  text,
} from "../protocol/kinds.js";
import { number, percent, recordOf } from "./record.js";

const swarmId = text;

const topology = oneOf("hierarchical", "mesh", "hierarchical-mesh", "adaptive");
const coordination = oneOf("task-assignment", "resource-allocation", "priority-change", "workload-balance");
const vote = oneOf("yes", "no", "abstain");

/** The stages of a proposal. */
export const consensusStage = oneOf("proposed", "voting", "accepted", "rejected");

/** The stages of a decision. */
export const decisionStage = oneOf("asked", "decided", "undecided");

/** What ended it: votes that no later vote could have outweighed, the deadline, or who had asked for it. */
export const endReason = oneOf("votes", "deadline", "withdrawn");

/** @type {Kind} A share of the votes. */
const share = (value, path) => {
  const part = /** @type {number} */ (finite(value, path));
  if (part <= 0 || part > 1) {
    throw misfit("a number above 0, up to 1", value, path);
  }
  return value;
};

const threshold = record({
  votes: optional(between(integer, 1, Number.MAX_SAFE_INTEGER)),
  share: optional(share),
});
const rule = oneOf("majority", "two-thirds", "unanimous");

/** @type {Kind} How much agreement a proposal needs. */
export const quorum = (value, path) => {
  return typeof value === "object" ? threshold(value, path) : rule(value, path);
};

/** A vote as it was counted. */
export const ballot = record({ voter: text, vote });

/** A vote for one of a decision's options; `confidence` is on the application's own scale. */
export const choice = record({ voter: text, option: text, confidence: optional(number) });

const condition = record({
  topology,
  agentCount: count,
  activeAgents: count,
  queueSize: count,
  healthScore: percent,
});

const tally = record({ accepted: flag, votesFor: count, votesAgainst: count, abstentions: count });

/**
 * The events of a swarm, by the third segment of their topic.
 *
 * @type {ReadonlyMap<string, RecordKind>}
 */
export const SWARM_EVENTS = new Map(
  Object.entries({
    topology: recordOf({
      swarmId,
      newTopology: topology,
      oldTopology: optional(topology),
      reason: optional(text),
    }),
    "agent-joined": recordOf({ swarmId, agentId: text, role: optional(text) }),
    "agent-left": recordOf({ swarmId, agentId: text, reason: optional(text) }),
    state: recordOf({ swarmId, state: condition }),
    coordination: recordOf({ swarmId, type: coordination, data: optional(anything) }),
    consensus: recordOf({
      swarmId,
      proposalId: text,
      type: consensusStage,
      proposal: optional(anything),
      proposer: optional(text),
      quorum: optional(quorum),
      voters: optional(listOf(text)),
      deadlineAt: optional(count),
      votes: optional(listOf(ballot)),
      result: optional(tally),
      reason: optional(endReason),
    }),
    vote: recordOf({ swarmId, proposalId: text, ...ballot.fields }),
    decision: recordOf(
      {
        swarmId,
        decisionId: text,
        question: text,
        options: listOf(text),
        type: decisionStage,
        asker: optional(text),
        voters: optional(listOf(text)),
        deadlineAt: optional(count),
        votes: optional(listOf(choice)),
        result: optional(record({ selectedOption: text, confidence: optional(number) })),
        reason: optional(endReason),
      },
      { type: "asked" },
    ),
    choice: recordOf({ swarmId, decisionId: text, ...choice.fields }),
  }),
);
