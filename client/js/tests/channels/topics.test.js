import assert from "node:assert/strict";
import { test } from "node:test";

import {
  agentPattern,
  agentTopic,
  parseTopic,
  swarmPattern,
  swarmTopic,
  taskPattern,
  taskTopic,
} from "../../src/channels/index.js";

const IDS = ["a1", "gpt-4.1", "two words", "*", "#", "$sys", "100%", "%2E", "ü.日本", "a\nb", "."];

test("an id may be any text, and comes back from its topic", () => {
  for (const id of IDS) {
    assert.deepEqual(parseTopic(agentTopic(id, "status")), {
      channel: "agent",
      id,
      event: "status",
      itemId: null,
    });
    assert.deepEqual(parseTopic(taskTopic(id, "created")), {
      channel: "task",
      id,
      event: "created",
      itemId: null,
    });
    const vote = { channel: "swarm", id: "s1", event: "vote", itemId: id };
    assert.deepEqual(parseTopic(swarmTopic("s1", "vote", id)), vote);
  }
  assert.equal(agentTopic("gpt-4.1", "status"), "agent.gpt-4%2E1.status");
  assert.equal(swarmTopic("s1", "agent-joined"), "swarm.s1.agent-joined");
});

test("patterns are of one or all, and of one event or all", () => {
  assert.equal(agentPattern(), "agent.*.*");
  assert.equal(agentPattern("a.1"), "agent.a%2E1.*");
  assert.equal(agentPattern(null, "status"), "agent.*.status");
  assert.equal(taskPattern("t1", "progress"), "task.t1.progress");
  assert.equal(swarmPattern(), "swarm.*.#");
  assert.equal(swarmPattern("s1"), "swarm.s1.#");
  assert.equal(swarmPattern("s1", "state"), "swarm.s1.state");
  assert.equal(swarmPattern("s1", "vote"), "swarm.s1.vote.*");
  assert.equal(swarmPattern("s1", "vote", "p1"), "swarm.s1.vote.p1");
  assert.equal(swarmPattern("s1", null, "p1"), "swarm.s1.*.p1");
});

test("what no topic can be is refused", () => {
  const refused = { code: "INVALID_TOPIC" };
  assert.throws(() => agentTopic("", "status"), refused);
  assert.throws(() => agentTopic("a1", "progress"), refused);
  assert.throws(() => agentTopic("a1", "constructor"), refused);
  assert.throws(() => agentTopic("x".repeat(600), "status"), refused);
  assert.throws(() => swarmTopic("s1", "vote"), refused);
  assert.throws(() => swarmTopic("s1", "state", "p1"), refused);
  assert.throws(() => agentPattern("a1", "nothing"), refused);
  assert.throws(() => swarmPattern("s1", "state", "p1"), refused);
});

test("topics of nobody are no topics of a channel", () => {
  const strangers = [
    "agent",
    "agent.a1",
    "agent.a1.status.more",
    "agent.a1.progress",
    "agent.%61.status",
    "agent.a%2.status",
    "swarm.s1.vote",
    "swarm.s1.vote.p1.more",
    "swarm.s1.state.p1",
    "constructor.a1.status",
    "config.changed",
  ];
  for (const topic of strangers) {
    assert.equal(parseTopic(topic), null, topic);
  }
});
