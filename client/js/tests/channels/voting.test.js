import assert from "node:assert/strict";
import { test } from "node:test";

import { SwarmChannel } from "../../src/channels/index.js";
import { MemoryPubSub } from "./memory.js";

const PROPOSAL = {
  swarm_id: "s1",
  proposal_id: "p1",
  proposal: { deploy_at: "v2" },
  type: "proposed",
  proposer: "me",
  quorum: { votes: 2 },
  voters: ["a1", "a2"],
  asked_at: 1,
  deadline_at: 61_000,
  ended_at: null,
  votes_for: 1,
  votes_against: 0,
  abstentions: 0,
  votes: [{ voter: "a1", vote: "yes" }],
  duplicate: false,
};

const DECISION = {
  swarm_id: "s1",
  decision_id: "d1",
  question: "Which model?",
  options: ["small", "large"],
  type: "decided",
  asked_at: 1,
  votes: [{ voter: "a1", option: "large", confidence: 0.9 }],
  selected_option: "large",
  confidence: 0.9,
  duplicate: true,
};

function voting(answers) {
  const pubsub = Object.assign(new MemoryPubSub(), { answers });
  return { pubsub, swarm: new SwarmChannel(pubsub) };
}

test("a proposal is asked for with what was said and no more, and its standing is told", async () => {
  const { pubsub, swarm } = voting({ "swarm.propose": PROPOSAL });
  const options = {
    proposalId: "p1",
    voters: ["a1", "a2"],
    quorum: { votes: 2 },
    deadlineMs: 60_000,
    timeoutMs: 5,
  };
  const standing = await swarm.propose("s1", { deploy_at: "v2" }, options);
  assert.deepEqual(pubsub.calls[0], {
    method: "swarm.propose",
    params: {
      swarm_id: "s1",
      proposal_id: "p1",
      proposal: { deploy_at: "v2" },
      voters: ["a1", "a2"],
      quorum: { votes: 2 },
      deadline: 60_000,
    },
    options: { timeoutMs: 5 },
  });
  assert.deepEqual(standing, {
    swarmId: "s1",
    proposalId: "p1",
    proposal: { deploy_at: "v2" },
    type: "proposed",
    proposer: "me",
    quorum: { votes: 2 },
    voters: ["a1", "a2"],
    askedAt: 1,
    deadlineAt: 61_000,
    votesFor: 1,
    votesAgainst: 0,
    abstentions: 0,
    votes: [{ voter: "a1", vote: "yes" }],
  });
  await swarm.propose("s1");
  assert.deepEqual(pubsub.calls[1].params, { swarm_id: "s1", quorum: "majority" });
});

test("votes are calls under one's own name or for an agent", async () => {
  const answer = { voter: "a1", vote: "yes", type: "voting", duplicate: false };
  const { pubsub, swarm } = voting({ "swarm.vote": answer });
  assert.deepEqual(await swarm.vote("s1", "p1", "yes", "a1"), answer);
  assert.deepEqual(await swarm.submitVote("s1", "p1", "no"), answer);
  assert.deepEqual(
    pubsub.calls.map(({ params }) => params),
    [
      { swarm_id: "s1", proposal_id: "p1", vote: "yes", voter: "a1" },
      { swarm_id: "s1", proposal_id: "p1", vote: "no" },
    ],
  );
});

test("a proposal is looked at and withdrawn by its id", async () => {
  const { pubsub, swarm } = voting({
    "swarm.proposal": PROPOSAL,
    "swarm.withdraw": { ...PROPOSAL, type: "rejected", reason: "withdrawn", ended_at: 5 },
  });
  assert.equal((await swarm.proposal("s1", "p1")).type, "proposed");
  const { type, reason, endedAt } = await swarm.withdraw("s1", "p1");
  assert.deepEqual([type, reason, endedAt], ["rejected", "withdrawn", 5]);
  assert.deepEqual(pubsub.calls[1].params, { swarm_id: "s1", proposal_id: "p1" });
});

test("a decision is asked for, chosen in, looked at and withdrawn", async () => {
  const { pubsub, swarm } = voting({
    "swarm.decide": DECISION,
    "swarm.decision": DECISION,
    "swarm.withdraw": DECISION,
    "swarm.choose": { voter: "a1", option: "large", type: "decided", duplicate: false },
  });
  const asked = await swarm.decide("s1", "Which model?", ["small", "large"], {
    voters: ["a1"],
    deadlineMs: 5,
  });
  assert.deepEqual([asked.decisionId, asked.selectedOption, asked.duplicate], ["d1", "large", true]);
  await swarm.choose("s1", "d1", "large", 0.9, "a1", { timeoutMs: 7 });
  await swarm.decision("s1", "d1");
  await swarm.withdrawDecision("s1", "d1");
  assert.deepEqual(pubsub.calls, [
    {
      method: "swarm.decide",
      params: {
        swarm_id: "s1",
        question: "Which model?",
        options: ["small", "large"],
        voters: ["a1"],
        deadline: 5,
      },
      options: {},
    },
    {
      method: "swarm.choose",
      params: { swarm_id: "s1", decision_id: "d1", option: "large", confidence: 0.9, voter: "a1" },
      options: { timeoutMs: 7 },
    },
    { method: "swarm.decision", params: { swarm_id: "s1", decision_id: "d1" }, options: undefined },
    { method: "swarm.withdraw", params: { swarm_id: "s1", decision_id: "d1" }, options: undefined },
  ]);
});

test("what the broker answers is thrown, and an answer that is none is refused", async () => {
  const { swarm } = voting({ "swarm.vote": { voter: "a1" }, "swarm.proposal": null });
  await assert.rejects(() => swarm.choose("s1", "d1", "a"), { code: "METHOD_NOT_FOUND" });
  await assert.rejects(() => swarm.vote("s1", "p1", "yes"), { code: "INVALID_MESSAGE", field: "data.vote" });
  await assert.rejects(() => swarm.proposal("s1", "p1"), { code: "INVALID_MESSAGE", field: "data" });
});

test("over something that cannot call there are no votes", async () => {
  const { publish, subscribe } = MemoryPubSub.prototype;
  await assert.rejects(() => new SwarmChannel({ publish, subscribe }).vote("s1", "p1", "yes"), {
    code: "UNAVAILABLE",
  });
});
