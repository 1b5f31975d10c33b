import assert from "node:assert/strict";
import { test } from "node:test";

import { markOf, optionsOf, standingOf } from "../../../broker/dashboard/parts/votes.js";

/** @typedef {import("../../../broker/dashboard/model/slices.js").Proposal} Proposal */
/** @typedef {import("../../../broker/dashboard/model/slices.js").Decision} Decision */

/** @param {Partial<Proposal>} given @returns {Proposal} */
function proposal(given) {
  return {
    id: "p1", type: "voting", proposal: "{}", proposer: null, quorum: "majority", voters: null, votes: [], result: null,
    reason: null, deadlineMs: null, tsMs: 0, ...given,
  };
}

/** @param {...string} words */
function votes(...words) {
  return words.map((vote, index) => ({ voter: `a${index}`, vote }));
}

test("votes are counted, and those who may vote and have not are silent", () => {
  const standing = standingOf(proposal({ voters: ["a0", "a1", "a2", "a3", "a4"], votes: votes("yes", "no", "abstain") }));
  assert.deepEqual(standing, { yes: 1, no: 1, abstain: 1, silent: 2, whole: 5, mark: 0.4 });
});

test("where anybody may vote nobody is silent", () => {
  const { silent, whole } = standingOf(proposal({ votes: votes("yes", "yes", "no") }));
  assert.deepEqual([silent, whole], [0, 3]);
});

test("the result counts once it is there", () => {
  const result = { accepted: true, votesFor: 70, votesAgainst: 20, abstentions: 10 };
  const standing = standingOf(proposal({ result, votes: votes("yes") }));
  assert.deepEqual([standing.yes, standing.no, standing.abstain, standing.whole], [70, 20, 10, 100]);
});

test("more votes than voters leave nobody silent", () => {
  assert.equal(standingOf(proposal({ voters: ["a0"], votes: votes("yes", "no") })).silent, 0);
});

test("the mark stands where the quorum is reached, of those who do not abstain", () => {
  assert.equal(markOf("majority", 10, 0), 0.5);
  assert.equal(markOf("majority", 10, 4), 0.3);
  assert.equal(markOf("two-thirds", 9, 0), 2 / 3);
  assert.equal(markOf("unanimous", 4, 1), 0.75);
  assert.equal(markOf("40 %", 10, 0), 0.4);
  assert.equal(markOf("3 votes", 12, 6), 0.25);
  assert.equal(markOf("1 vote", 4, 0), 0.25);
});

test("a quorum beyond all votes is marked at the end", () => {
  assert.equal(markOf("30 votes", 12, 0), 1);
});

test("a quorum that is not known has no mark, nor has a vote without voters", () => {
  assert.equal(markOf("whatever pleases", 10, 0), null);
  assert.equal(markOf("toString", 10, 0), null);
  assert.equal(markOf(null, 10, 0), null);
  assert.equal(markOf("majority", 0, 0), null);
});

test("options have their votes, their mean confidence, and one is chosen", () => {
  /** @type {Decision} */
  const decision = {
    id: "d1", type: "decided", question: "Which?", options: ["small", "large"], voters: null,
    votes: [
      { voter: "a", option: "large", confidence: 0.5 },
      { voter: "b", option: "large", confidence: 1 },
      { voter: "c", option: "large", confidence: null },
    ],
    result: { selectedOption: "large", confidence: 0.75 }, reason: "votes", deadlineMs: null, tsMs: 0,
  };
  assert.deepEqual(optionsOf(decision), [
    { option: "small", votes: 0, confidence: null, isChosen: false },
    { option: "large", votes: 3, confidence: 0.75, isChosen: true },
  ]);
});
