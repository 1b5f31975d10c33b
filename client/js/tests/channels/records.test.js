import assert from "node:assert/strict";
import { test } from "node:test";

import { AgentChannel, SwarmChannel, TaskChannel, faultOf } from "../../src/channels/index.js";
import { SwarmwireError } from "../../src/protocol/errors.js";
import { KINDS } from "../../src/channels/table.js";
import { MemoryPubSub } from "./memory.js";

const TIME = 1_764_000_000_000;

/** What every publishing method makes of its arguments, with all of them and with as few as may be. */
const PUBLISHED = [
  [
    AgentChannel,
    "status",
    ["a1", "busy", "reading", { metadata: { k: [1, null] } }],
    "agent.a1.status",
    { agentId: "a1", status: "busy", message: "reading", metadata: { k: [1, null] } },
  ],
  [AgentChannel, "status", ["a1", "idle"], "agent.a1.status", { agentId: "a1", status: "idle" }],
  [
    AgentChannel,
    "health",
    ["a1", true, { cpu: 0.5, memory: 10, uptime: 1, tasksCompleted: 2, errorCount: 0 }],
    "agent.a1.health",
    {
      agentId: "a1",
      healthy: true,
      metrics: { cpu: 0.5, memory: 10, uptime: 1, tasksCompleted: 2, errorCount: 0 },
    },
  ],
  [AgentChannel, "health", ["a1", false], "agent.a1.health", { agentId: "a1", healthy: false, metrics: {} }],
  [
    AgentChannel,
    "metrics",
    ["a1", { responseTime: 1, throughput: 2, errorRate: 0.1, queueSize: 3, activeConnections: 4 }],
    "agent.a1.metrics",
    {
      agentId: "a1",
      metrics: { responseTime: 1, throughput: 2, errorRate: 0.1, queueSize: 3, activeConnections: 4 },
    },
  ],
  [
    AgentChannel,
    "log",
    ["a1", "warn", "slow", { by: "disk" }],
    "agent.a1.log",
    { agentId: "a1", level: "warn", message: "slow", context: { by: "disk" } },
  ],
  [
    AgentChannel,
    "started",
    ["a1", { version: 2 }],
    "agent.a1.started",
    { agentId: "a1", metadata: { version: 2 } },
  ],
  [AgentChannel, "stopped", ["a1", "done"], "agent.a1.stopped", { agentId: "a1", reason: "done" }],
  [
    AgentChannel,
    "error",
    ["a1", "no disk", { at: 1 }],
    "agent.a1.error",
    { agentId: "a1", error: { message: "no disk" }, context: { at: 1 } },
  ],
  [
    TaskChannel,
    "created",
    ["t1", "build", -1.5, { agentId: "a1", metadata: { k: 1 } }],
    "task.t1.created",
    { taskId: "t1", type: "build", priority: -1.5, agentId: "a1", metadata: { k: 1 } },
  ],
  [TaskChannel, "assigned", ["t1", "a1"], "task.t1.assigned", { taskId: "t1", agentId: "a1" }],
  [TaskChannel, "started", ["t1"], "task.t1.started", { taskId: "t1" }],
  [
    TaskChannel,
    "progress",
    ["t1", 40, "parsing"],
    "task.t1.progress",
    { taskId: "t1", progress: 40, status: "in-progress", message: "parsing" },
  ],
  [
    TaskChannel,
    "progress",
    ["t1", 0, undefined, { status: "pending" }],
    "task.t1.progress",
    { taskId: "t1", progress: 0, status: "pending" },
  ],
  [
    TaskChannel,
    "message",
    ["t1", "stop", { x: 1 }, { sender: "me" }],
    "task.t1.message",
    { taskId: "t1", message: "stop", sender: "me", data: { x: 1 } },
  ],
  [
    TaskChannel,
    "error",
    ["t1", new TypeError("no such file")],
    "task.t1.error",
    { taskId: "t1", error: { message: "no such file", code: "TypeError" } },
  ],
  [
    TaskChannel,
    "retrying",
    ["t1", 2, 500, "again"],
    "task.t1.retrying",
    { taskId: "t1", attempt: 2, delay: 500, error: { message: "again" } },
  ],
  [TaskChannel, "retrying", ["t1", 1], "task.t1.retrying", { taskId: "t1", attempt: 1 }],
  [
    TaskChannel,
    "completed",
    ["t1", [1], { duration: 9 }],
    "task.t1.completed",
    { taskId: "t1", status: "completed", result: [1], duration: 9 },
  ],
  [TaskChannel, "completed", ["t1"], "task.t1.completed", { taskId: "t1", status: "completed" }],
  [
    TaskChannel,
    "failed",
    ["t1", { message: "m", stack: "s", recoverable: false }, { result: 0, duration: 1 }],
    "task.t1.failed",
    {
      taskId: "t1",
      status: "failed",
      result: 0,
      duration: 1,
      error: { message: "m", stack: "s", recoverable: false },
    },
  ],
  [
    TaskChannel,
    "cancelled",
    ["t1", "too late", { duration: 1 }],
    "task.t1.cancelled",
    { taskId: "t1", status: "cancelled", reason: "too late", duration: 1 },
  ],
  [TaskChannel, "closed", ["t1", "old"], "task.t1.closed", { taskId: "t1", reason: "old" }],
  [TaskChannel, "resumed", ["t1", "a1"], "task.t1.resumed", { taskId: "t1", agentId: "a1" }],
  [
    SwarmChannel,
    "topology",
    ["s1", "mesh", "adaptive", "load"],
    "swarm.s1.topology",
    { swarmId: "s1", newTopology: "mesh", oldTopology: "adaptive", reason: "load" },
  ],
  [
    SwarmChannel,
    "initialized",
    ["s1", "hierarchical-mesh"],
    "swarm.s1.state",
    {
      swarmId: "s1",
      state: {
        topology: "hierarchical-mesh",
        agentCount: 0,
        activeAgents: 0,
        queueSize: 0,
        healthScore: 100,
      },
    },
  ],
  [
    SwarmChannel,
    "joined",
    ["s1", "a1", "worker"],
    "swarm.s1.agent-joined",
    { swarmId: "s1", agentId: "a1", role: "worker" },
  ],
  [
    SwarmChannel,
    "left",
    ["s1", "a1", "done"],
    "swarm.s1.agent-left",
    { swarmId: "s1", agentId: "a1", reason: "done" },
  ],
  [
    SwarmChannel,
    "coordination",
    ["s1", "workload-balance", { to: "a2" }],
    "swarm.s1.coordination",
    { swarmId: "s1", type: "workload-balance", data: { to: "a2" } },
  ],
];

for (const [Channel, method, args, topic, data] of PUBLISHED) {
  test(`${Channel.name}.${method} publishes ${JSON.stringify(data).slice(0, 60)}`, async () => {
    const pubsub = new MemoryPubSub();
    const before = Date.now();
    assert.deepEqual(await new Channel(pubsub)[method](...args), { seq: 1, duplicate: false });
    const [
      {
        topic: where,
        data: { timestamp, ...rest },
      },
    ] = pubsub.published;
    assert.deepEqual({ topic: where, data: rest }, { topic, data });
    assert.ok(timestamp >= before && timestamp <= Date.now());
  });
}

test("every event of the channels that clients publish has a method", () => {
  const published = new Set(PUBLISHED.map(([, , , topic]) => topic.replace(/\.[ats]1\./, ".")));
  for (const { name, events, reserved } of KINDS.values()) {
    const open = [...events.keys()].filter((event) => !reserved.has(event));
    assert.deepEqual(
      open.filter((event) => !published.has(`${name}.${event}`)),
      [],
    );
  }
});

test("the options of a publish are handed on", async () => {
  const pubsub = new MemoryPubSub();
  const options = { key: "k", headers: { h: "v" }, ephemeral: true };
  await new AgentChannel(pubsub).status("a1", "busy", undefined, { metadata: {}, ...options });
  await new TaskChannel(pubsub).progress("t1", 1, undefined, options);
  await new SwarmChannel(pubsub).joined("s1", "a1", undefined, options);
  assert.deepEqual(
    pubsub.published.map((published) => published.options),
    [options, options, options],
  );
});

test("a record made by hand is published with its own time", async () => {
  const pubsub = new MemoryPubSub();
  await new AgentChannel(pubsub).publish("stopped", {
    agentId: "a1",
    reason: null,
    timestamp: TIME,
    extra: 1,
  });
  assert.deepEqual(pubsub.published[0].data, { timestamp: TIME, agentId: "a1" });
});

test("a record that breaks its promises is refused with the field, and nothing is sent", async () => {
  const pubsub = new MemoryPubSub();
  const [agents, tasks, swarm] = [
    new AgentChannel(pubsub),
    new TaskChannel(pubsub),
    new SwarmChannel(pubsub),
  ];
  const cases = [
    [() => tasks.progress("t1", 101), "data.progress"],
    [() => tasks.progress("t1", NaN), "data.progress"],
    [() => agents.status("a1", "asleep"), "data.status"],
    [() => agents.status(7, "busy"), "data.agentId"],
    [() => agents.health("a1", true, { cpu: -1 }), "data.metrics.cpu"],
    [() => agents.health("a1", true, { tasksCompleted: 1.5 }), "data.metrics.tasksCompleted"],
    [() => tasks.failed("t1", undefined), "data.error"],
    [() => tasks.failed("t1", {}), "data.error.message"],
    [() => swarm.state("s1", { topology: "mesh" }), "data.state.agentCount"],
    [() => agents.publish("status", null), "data"],
    [() => agents.publish("status", [1]), "data"],
    [() => agents.publish("status", { agentId: "a1", status: "busy", timestamp: -1 }), "data.timestamp"],
  ];
  for (const [publish, field] of cases) {
    await assert.rejects(publish, { code: "INVALID_MESSAGE", field }, field);
  }
  assert.deepEqual(pubsub.published, []);
});

test("what the broker alone publishes, and what no channel knows, is refused", async () => {
  const pubsub = new MemoryPubSub();
  const swarm = new SwarmChannel(pubsub);
  for (const event of ["consensus", "vote", "decision", "choice"]) {
    await assert.rejects(() => swarm.publish(event, {}), { code: "PERMISSION_DENIED", field: "topic" });
  }
  await assert.rejects(() => swarm.publish("nothing", { swarmId: "s1" }), { code: "INVALID_TOPIC" });
  await assert.rejects(() => swarm.joined("", "a1"), { code: "INVALID_TOPIC" });
  assert.deepEqual(pubsub.published, []);
});

test("a fault has the text and the name of an error, never its stack", () => {
  assert.deepEqual(faultOf(new RangeError("too far")), { message: "too far", code: "RangeError" });
  assert.deepEqual(faultOf(new Error()), { message: "Error", code: "Error" });
  assert.deepEqual(faultOf(new SwarmwireError("FENCED", "Too late.")), {
    message: "Too late.",
    code: "FENCED",
  });
  assert.deepEqual(faultOf("text"), { message: "text" });
});
