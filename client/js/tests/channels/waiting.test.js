import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { SwarmChannel, TaskChannel } from "../../src/channels/index.js";
import { SwarmwireError } from "../../src/protocol/errors.js";
import { MemoryPubSub } from "./memory.js";

function channels() {
  const pubsub = new MemoryPubSub();
  return { pubsub, tasks: new TaskChannel(pubsub), swarm: new SwarmChannel(pubsub) };
}

test("an end that came before the question is found", async () => {
  const { pubsub, tasks } = channels();
  await tasks.failed("t1", "broken");
  const { status, error } = await tasks.waitForCompletion("t1", { timeoutMs: 60_000 });
  assert.deepEqual([status, error.message], ["failed", "broken"]);
  assert.equal(pubsub.streams[0].isClosed, true);
});

test("an end that comes later is waited for, and what is not the end is not read", async () => {
  const { pubsub, tasks } = channels();
  const waiting = tasks.waitForCompletion("t.1");
  pubsub.tell({ topic: "task.t%2E1.progress", data: "malformed" });
  await tasks.completed("t2");
  await tasks.completed("t.1", 42);
  assert.equal((await waiting).result, 42);
});

test("the end after a resumption is not the former one", async () => {
  const { pubsub, tasks } = channels();
  await tasks.cancelled("t1");
  await tasks.resumed("t1");
  const { cursor } = pubsub.log[1];
  const waiting = tasks.waitForCompletion("t1", { from: { cursor } });
  await tasks.completed("t1");
  assert.equal((await waiting).status, "completed");
});

test("when the time is up the wait fails with the name of the task", async () => {
  const { pubsub, tasks } = channels();
  await assert.rejects(() => tasks.waitForCompletion("t1", { timeoutMs: 1 }), {
    code: "TIMEOUT",
    message: 'the end of task "t1" was not there within 1 ms.',
  });
  assert.equal(pubsub.streams[0].isClosed, true);
});

test("a wait is given up by its signal, before it begins and after", async () => {
  const { pubsub, tasks } = channels();
  const reason = new Error("enough");
  await assert.rejects(() => tasks.waitForCompletion("t1", { signal: AbortSignal.abort(reason) }), reason);
  assert.equal(pubsub.streams.length, 0);
  const controller = new AbortController();
  const waiting = tasks.waitForCompletion("t1", { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(pubsub.streams[0].isClosed, true);
});

test("one signal gives many waits up by one listener", async () => {
  const { tasks } = channels();
  const controller = new AbortController();
  const { signal } = controller;
  const waits = Array.from({ length: 20 }, (_, place) => tasks.waitForCompletion(`t${place}`, { signal }));
  assert.equal(getEventListeners(signal, "abort").length, 1);
  controller.abort();
  for (const wait of waits) await assert.rejects(wait, { name: "AbortError" });
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a wait fails when the subscription ends or fails, and when the answer cannot be read", async () => {
  const { pubsub, tasks } = channels();
  const ended = tasks.waitForCompletion("t1");
  pubsub.streams[0].put(null);
  await assert.rejects(ended, { code: "UNAVAILABLE", message: /the end of task "t1"/ });
  const failed = tasks.waitForCompletion("t1");
  pubsub.streams[1].put(new SwarmwireError("PERMISSION_DENIED"));
  await assert.rejects(failed, { code: "PERMISSION_DENIED" });
  pubsub.tell({ topic: "task.t1.failed", data: { taskId: "t1" } });
  await assert.rejects(tasks.waitForCompletion("t1"), { code: "INVALID_MESSAGE", field: "data.error" });
});

function consensus(type, more) {
  return { topic: "swarm.s1.consensus.p1", data: { swarmId: "s1", proposalId: "p1", type, ...more } };
}

test("a consensus is waited for until it is final", async () => {
  const { pubsub, swarm } = channels();
  pubsub.tell(consensus("voting"));
  const waiting = swarm.waitForConsensus("s1", "p1");
  const result = { accepted: true, votesFor: 2, votesAgainst: 0, abstentions: 1 };
  const votes = [{ voter: "a1", vote: "yes" }];
  pubsub.tell(consensus("accepted", { result, votes, reason: "votes", quorum: { share: 0.4 } }));
  const { type, result: tally, quorum } = await waiting;
  assert.deepEqual([type, tally, quorum], ["accepted", result, { share: 0.4 }]);
  await assert.rejects(() => swarm.waitForConsensus("s1", "p2", { timeoutMs: 1 }), {
    message: /"p2" of swarm "s1"/,
  });
});

test("a decision is waited for until it is final", async () => {
  const { pubsub, swarm } = channels();
  const waiting = swarm.waitForDecision("s1", "d1");
  const asked = { swarmId: "s1", decisionId: "d1", question: "which", options: ["a", "b"] };
  pubsub.tell({ topic: "swarm.s1.decision.d1", data: asked });
  pubsub.tell({ topic: "swarm.s1.decision.d1", data: { ...asked, type: "undecided", reason: "deadline" } });
  assert.equal((await waiting).type, "undecided");
});
