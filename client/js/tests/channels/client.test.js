/** The channels over the real client and a real broker. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AgentChannel, SwarmChannel, TaskChannel, connect } from "../../src/swarmwire.js";
import { Nursery } from "../broker.js";

const nursery = new Nursery();
let broker;
let client;

before(async () => {
  broker = await nursery.broker({ data: true }).start();
  client = await connect(broker.url("ws"), { baseDelayMs: 20, maxDelayMs: 100 });
});

after(async () => {
  await client.disconnect();
  await nursery.close();
});

test("every event that clients publish comes back as it was", async () => {
  const [agents, tasks, swarm] = [
    new AgentChannel(client),
    new TaskChannel(client),
    new SwarmChannel(client),
  ];
  const watches = [agents.watch("a.1"), tasks.watch("t.1"), swarm.watch("s.1")];
  await Promise.all(watches.map(({ ready }) => ready));
  await agents.status("a.1", "busy", "reading", { metadata: { k: [null, 1.5, "ü"] } });
  await agents.health("a.1", true, { cpu: 0.5 });
  await tasks.progress("t.1", 99.5);
  await tasks.failed("t.1", new TypeError("no"), { duration: 3 });
  await swarm.initialized("s.1", "mesh");
  await swarm.joined("s.1", "a.1", "worker");
  const changes = [];
  for (const watch of watches) {
    changes.push((await watch.next()).value, (await watch.next()).value);
    await watch.close();
  }
  const published = changes.map(({ event, record: { timestamp, ...record } }) => [event, record]);
  assert.deepEqual(published, [
    ["status", { agentId: "a.1", status: "busy", message: "reading", metadata: { k: [null, 1.5, "ü"] } }],
    ["health", { agentId: "a.1", healthy: true, metrics: { cpu: 0.5 } }],
    ["progress", { taskId: "t.1", progress: 99.5, status: "in-progress" }],
    ["failed", { taskId: "t.1", status: "failed", error: { message: "no", code: "TypeError" }, duration: 3 }],
    [
      "state",
      {
        swarmId: "s.1",
        state: { topology: "mesh", agentCount: 0, activeAgents: 0, queueSize: 0, healthScore: 100 },
      },
    ],
    ["agent-joined", { swarmId: "s.1", agentId: "a.1", role: "worker" }],
  ]);
  assert.equal(changes[0].raw.sender, client.identity.subject);
});

test("a swarm votes and decides, and every vote is an event", async () => {
  const swarm = new SwarmChannel(client);
  const voters = ["a1", "a2", "a3"];
  const { proposalId, type } = await swarm.propose("s1", { deploy: "v2" }, { voters, deadlineMs: 60_000 });
  assert.equal(type, "proposed");
  const watch = swarm.watch("s1", { events: ["vote"], itemId: proposalId, from: "start" });
  await swarm.vote("s1", proposalId, "no", "a1");
  assert.equal((await swarm.vote("s1", proposalId, "no", "a1")).duplicate, true);
  await assert.rejects(() => swarm.vote("s1", proposalId, "yes", "a1"), { code: "CONFLICT" });
  await swarm.vote("s1", proposalId, "no", "a2");
  const { type: end, result } = await swarm.waitForConsensus("s1", proposalId, { timeoutMs: 10_000 });
  assert.deepEqual([end, result.votesAgainst], ["rejected", 2]);
  assert.equal((await swarm.proposal("s1", proposalId)).votesAgainst, 2);
  const cast = [(await watch.next()).value.record.voter, (await watch.next()).value.record.voter];
  assert.deepEqual(cast, ["a1", "a2"]);
  await watch.close();

  const asked = await swarm.decide("s1", "Which model?", ["small", "large"], { voters: ["a1"] });
  await swarm.choose("s1", asked.decisionId, "large", 0.9, "a1");
  const decision = await swarm.waitForDecision("s1", asked.decisionId, { timeoutMs: 10_000 });
  assert.deepEqual(decision.result, { selectedOption: "large", confidence: 0.9 });

  const open = await swarm.propose("s1", "later", { voters });
  assert.equal((await swarm.withdraw("s1", open.proposalId)).reason, "withdrawn");
});

test("a watch, a handler and a wait go on over a killed broker", async () => {
  const tasks = new TaskChannel(client);
  const watch = tasks.watch("t2");
  const handled = new Promise((resolve) => {
    tasks.on("completed", ({ record }) => resolve(record.result), { id: "t2" });
  });
  await watch.ready;
  const waiting = tasks.waitForCompletion("t2");
  await tasks.started("t2");
  assert.equal((await watch.next()).value.event, "started");
  await broker.kill();
  const published = tasks.completed("t2", 42);
  await broker.start();
  await published;
  assert.equal((await watch.next()).value.record.result, 42);
  assert.equal((await waiting).result, 42);
  assert.equal(await handled, 42);
  await watch.close();
  await tasks.close();
});

test("when the client disconnects a watch ends, and a wait fails", async () => {
  const leaving = await connect(broker.url("ws"));
  const tasks = new TaskChannel(leaving);
  const watch = tasks.watch();
  const waiting = assert.rejects(tasks.waitForCompletion("never"), { code: "UNAVAILABLE" });
  await watch.ready;
  await leaving.disconnect();
  await waiting;
  assert.equal((await watch.next()).done, true);
});
