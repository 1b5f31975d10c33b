import assert from "node:assert/strict";
import { test } from "node:test";

import { Model } from "../../../broker/dashboard/model/model.js";
import { event } from "./events.js";

/** @param {[string, object][]} events */
function swarmOf(...events) {
  const model = new Model(0);
  for (const [topic, data] of events) model.takeSwarm(event(`swarm.s1.${topic}`, data));
  const detail = () => {
    const found = model.swarms.slice({ selected: "s1" }).detail;
    assert.ok(found);
    return found;
  };
  return { model, detail, row: () => model.swarms.slice({ selected: null }).rows[0] };
}

const ASKED = /** @type {[string, object]} */ ([
  "consensus.p1",
  { type: "proposed", proposal: { deploy: 2 }, proposer: "q", quorum: { votes: 2 }, voters: ["a", "b"], deadlineAt: 5 },
]);

test("a swarm is what its state says, and its members are who joined and did not leave", () => {
  const { model, row, detail } = swarmOf(
    ["state", { state: { topology: "mesh", agentCount: 9, activeAgents: 4, queueSize: 2, healthScore: 88 } }],
    ["agent-joined", { agentId: "a", role: "queen" }],
    ["agent-joined", { agentId: "b" }],
    ["agent-left", { agentId: "b", reason: "done" }],
  );
  assert.deepEqual([row().topology, row().agentCount, row().activeAgents, row().healthScore], ["mesh", 9, 4, 88]);
  model.take(event("agent.a.status", { status: "busy" }), true);
  assert.deepEqual(detail().members, [{ agentId: "a", role: "queen", status: "busy" }]);
  assert.deepEqual(detail().log.map(({ event: name }) => name), ["joined", "joined", "left"]);
});

test("names in a swarm are cut, and who joined under a long one can leave", () => {
  const long = "n".repeat(100000);
  const { detail } = swarmOf(
    ["topology", { newTopology: long, reason: long }],
    ["agent-joined", { agentId: long, role: long }],
    ["agent-joined", { agentId: "b" }],
  );
  assert.ok(JSON.stringify(detail()).length < 5000);
  const { detail: left } = swarmOf(["agent-joined", { agentId: long }], ["agent-left", { agentId: long }]);
  assert.deepEqual(left().members, []);
});

test("of too many proposals those that have ended go first, and how many went is told", () => {
  const proposed = (/** @type {number} */ number, type = "proposed") =>
    /** @type {[string, object]} */ ([`consensus.p${number}`, { type, proposal: number }]);
  const { detail, row } = swarmOf(
    proposed(0), proposed(1, "accepted"), proposed(2, "rejected"), proposed(3, "accepted"),
    ...Array.from({ length: 47 }, (_, index) => proposed(4 + index)),
  );
  const kept = new Set(detail().proposals.map(({ id }) => id));
  assert.deepEqual(["p0", "p1", "p2", "p3", "p50"].map((id) => kept.has(id)), [true, false, false, false, true]);
  assert.deepEqual([kept.size, detail().forgotten, row().open, row().forgotten], [48, { proposals: 3, decisions: 0 }, 48, 3]);
});

test("a proposal shows each vote as it comes, and the result", () => {
  const { model, detail, row } = swarmOf(ASKED, ["vote.p1", { voter: "a", vote: "yes" }]);
  const [open] = detail().proposals;
  assert.deepEqual([open.type, open.quorum, open.proposal, open.voters], ["voting", "2 votes", '{"deploy":2}', ["a", "b"]]);
  assert.deepEqual(open.votes, [{ voter: "a", vote: "yes" }]);
  assert.equal(row().open, 1);
  const result = { accepted: true, votesFor: 2, votesAgainst: 0, abstentions: 0 };
  const votes = [{ voter: "a", vote: "yes" }, { voter: "b", vote: "yes" }];
  model.takeSwarm(event("swarm.s1.consensus.p1", { type: "accepted", result, votes, reason: "votes" }));
  const [decided] = detail().proposals;
  assert.deepEqual([decided.type, decided.result, decided.votes.length, decided.reason], ["accepted", result, 2, "votes"]);
  assert.deepEqual([decided.proposer, decided.deadlineMs, row().open], ["q", 5, 0]);
});

test("a vote that is told after the end does not open it again", () => {
  const { detail } = swarmOf(ASKED, ["consensus.p1", { type: "rejected" }], ["vote.p1", { voter: "a", vote: "no" }]);
  assert.equal(detail().proposals[0].type, "rejected");
});

test("a decision has options, choices and what was chosen", () => {
  const { detail } = swarmOf(
    ["decision.d1", { type: "asked", question: "Which?", options: ["x", "y"] }],
    ["choice.d1", { voter: "a", option: "x", confidence: 0.4 }],
    ["choice.d1", { voter: "a", option: "y", confidence: 0.9 }],
    ["decision.d1", { type: "decided", result: { selectedOption: "y", confidence: 0.9 }, reason: "votes" }],
  );
  const [decision] = detail().decisions;
  assert.deepEqual(decision.votes, [{ voter: "a", option: "y", confidence: 0.9 }]);
  assert.deepEqual([decision.type, decision.result], ["decided", { selectedOption: "y", confidence: 0.9 }]);
});

test("quorums are told in words", () => {
  const { model, detail } = swarmOf(ASKED);
  const told = (/** @type {unknown} */ quorum) => {
    model.takeSwarm(event("swarm.s1.consensus.p1", { type: "proposed", quorum }));
    return detail().proposals[0].quorum;
  };
  assert.deepEqual([told("majority"), told({ votes: 3 }), told({ share: 0.4 })], ["majority", "3 votes", "40 %"]);
});

test("only the last proposals of a swarm are kept, fifty at most, the newest first", () => {
  const { model, detail } = swarmOf();
  for (let number = 0; number < 60; number += 1) {
    model.takeSwarm(event(`swarm.s1.consensus.p${number}`, { type: "proposed" }));
  }
  const ids = detail().proposals.map(({ id }) => id);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [48, "p59", "p12"]);
  assert.equal(detail().forgotten.proposals, 12);
});

test("the swarms outlive a new log of the stream of everything, until their own tells of it", () => {
  const { model } = swarmOf(ASKED);
  const next = model.anew(0);
  next.take(event("agent.a.status", { status: "idle" }), true);
  assert.equal(next.swarms.size, 1);
  next.forgetSwarms();
  assert.equal(next.swarms.size, 0);
  assert.ok(next.swarms.revision > model.swarms.revision - 1);
});

test("nothing that is published on a swarm's topics breaks the page", () => {
  const { model } = swarmOf();
  const names = ["topology", "agent-joined", "agent-left", "state", "coordination", "x", "consensus.p", "vote.p", "decision.d", "choice.d"];
  for (const name of names) {
    for (const data of [null, 7, [], {}, { votes: [null], options: {}, voters: [3], result: 1, state: null }]) {
      model.takeSwarm(event(`swarm.s1.${name}`, data));
    }
  }
  assert.equal(model.swarms.slice({ selected: "s1" }).detail?.id, "s1");
});
