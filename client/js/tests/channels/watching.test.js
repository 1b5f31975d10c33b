import assert from "node:assert/strict";
import { test } from "node:test";

import { AgentChannel, SwarmChannel, TaskChannel } from "../../src/channels/index.js";
import { SwarmwireError } from "../../src/protocol/errors.js";
import { MemoryPubSub } from "./memory.js";

function channels() {
  const pubsub = new MemoryPubSub();
  return {
    pubsub,
    agents: new AgentChannel(pubsub),
    tasks: new TaskChannel(pubsub),
    swarm: new SwarmChannel(pubsub),
  };
}

async function take(iterator) {
  return (await iterator.next()).value;
}

// ---- Watching

test("a change has the record, the ids of the topic, and the event as it came", async () => {
  const { pubsub, agents } = channels();
  const changes = agents.watch();
  await changes.ready;
  await agents.status("gpt-4.1", "busy");
  const { record, topic, id, event, raw } = await take(changes);
  assert.equal(record.status, "busy");
  assert.equal(record.agentId, "gpt-4.1");
  assert.deepEqual([topic, id, event], ["agent.gpt-4%2E1.status", "gpt-4.1", "status"]);
  assert.deepEqual([raw.seq, raw.sender, raw.cursor], [1, "somebody", "e:1"]);
  assert.equal(pubsub.streams[0].pattern, "agent.*.*");
});

test("one or all are watched, by one event or all, and the options of a subscription are handed on", () => {
  const { pubsub, agents, tasks, swarm } = channels();
  agents.watch("a1");
  tasks.watch(null, { events: ["progress"], from: "latest", conflateMs: 100 });
  swarm.watch("s1", { itemId: "p1" });
  swarm.watch("s1", { events: ["vote"], itemId: "p1" });
  const patterns = pubsub.streams.map(({ pattern }) => pattern);
  assert.deepEqual(patterns, ["agent.a1.*", "task.*.progress", "swarm.s1.*.p1", "swarm.s1.vote.p1"]);
  assert.deepEqual(pubsub.streams[1].options, { from: "latest", conflateMs: 100 });
});

test("several events are one subscription, sorted out in their order", async () => {
  const { pubsub, tasks } = channels();
  const changes = tasks.watch("t1", { events: ["started", "completed"] });
  await tasks.started("t1");
  await tasks.progress("t1", 50);
  await tasks.completed("t1");
  const events = [(await take(changes)).event, (await take(changes)).event];
  assert.deepEqual(events, ["started", "completed"]);
  assert.equal(pubsub.streams.length, 1);
});

test("an event that is none of the channel is refused at once, and so is none at all", () => {
  const { pubsub, tasks } = channels();
  assert.throws(() => tasks.watch(null, { events: ["status"] }), { code: "INVALID_TOPIC" });
  assert.throws(() => tasks.watch(null, { events: ["started", "status"] }), { code: "INVALID_TOPIC" });
  assert.throws(() => tasks.watch(null, { events: [] }), { code: "INVALID_TOPIC" });
  assert.throws(() => tasks.on("status", () => {}), { code: "INVALID_TOPIC" });
  assert.equal(pubsub.streams.length, 0);
});

test("what a newer peer adds is ignored, and a missing time is the broker's", async () => {
  const { pubsub, agents } = channels();
  const changes = agents.watch();
  pubsub.tell({ topic: "agent.a1.mood", data: {} });
  pubsub.streams[0].put({ reason: "evicted", from: "e:1", to: "e:2" });
  pubsub.tell({ topic: "agent.a1.stopped", data: { agentId: "a1", reason: null, mood: "calm" } });
  assert.deepEqual((await take(changes)).record, { timestamp: 1_700_000_000_000, agentId: "a1" });
});

test("missing fields that have a default get it", async () => {
  const { pubsub, tasks, agents } = channels();
  const changes = tasks.watch();
  pubsub.tell({ topic: "task.t1.progress", data: { taskId: "t1", progress: 1 } });
  pubsub.tell({ topic: "task.t1.completed", data: { taskId: "t1" } });
  assert.equal((await take(changes)).record.status, "in-progress");
  assert.equal((await take(changes)).record.status, "completed");
  const health = agents.watch();
  pubsub.tell({ topic: "agent.a1.health", data: { agentId: "a1", healthy: true } });
  assert.deepEqual((await take(health)).record.metrics, {});
});

test("an event that cannot be read goes to onError, and the watch goes on", async () => {
  const { pubsub, agents } = channels();
  const errors = [];
  const changes = agents.watch(null, { onError: (error, event) => errors.push([error.field, event.seq]) });
  pubsub.tell({ topic: "agent.a1.status", data: { agentId: "a1", status: "asleep" } });
  pubsub.tell({ topic: "agent.a1.status", data: { agentId: "a2", status: "busy" } });
  pubsub.tell({ topic: "agent.a1.status", data: "busy" });
  await agents.status("a1", "busy");
  assert.equal((await take(changes)).record.status, "busy");
  assert.deepEqual(errors, [
    ["data.status", 1],
    ["data.agentId", 2],
    ["data", 3],
  ]);
});

test("the proposal in a record must be that of the topic", async () => {
  const { pubsub, swarm } = channels();
  const errors = [];
  const changes = swarm.watch(null, { onError: (error) => errors.push(error.field) });
  const vote = { swarmId: "s1", proposalId: "p2", voter: "a1", vote: "yes" };
  pubsub.tell({ topic: "swarm.s1.vote.p1", data: vote });
  pubsub.tell({ topic: "swarm.s1.vote.p2", data: vote });
  assert.equal((await take(changes)).topic, "swarm.s1.vote.p2");
  assert.deepEqual(errors, ["data.proposalId"]);
});

test("without onError what cannot be read is a warning on the console", async (context) => {
  const warn = context.mock.method(console, "warn", () => {});
  const { pubsub, agents } = channels();
  const changes = agents.watch();
  pubsub.tell({ topic: "agent.a1.status", data: 1 });
  await agents.status("a1", "busy");
  await take(changes);
  assert.equal(warn.mock.callCount(), 1);
  assert.ok(warn.mock.calls[0].arguments.includes("agent.a1.status"));
});

test("an onError that fails harms nobody", async (context) => {
  const complaint = context.mock.method(console, "error", () => {});
  const { pubsub, agents } = channels();
  const changes = agents.watch(null, {
    onError: () => {
      throw new Error("no");
    },
  });
  pubsub.tell({ topic: "agent.a1.status", data: 1 });
  await agents.status("a1", "busy");
  assert.equal((await take(changes)).id, "a1");
  assert.equal(complaint.mock.callCount(), 1);
});

test("leaving the loop closes the subscription, and so does close, twice without harm", async () => {
  const { pubsub, agents } = channels();
  const left = agents.watch(null, { from: "start" });
  await agents.status("a1", "busy");
  for await (const change of left) {
    assert.equal(change.id, "a1");
    break;
  }
  assert.equal(pubsub.streams[0].isClosed, true);
  const closed = agents.watch();
  await closed.close();
  await closed.close();
  assert.equal((await closed.next()).done, true);
});

test("a watch throws what its subscription throws", async () => {
  const { pubsub, agents } = channels();
  pubsub.refusal = new SwarmwireError("PERMISSION_DENIED");
  const changes = agents.watch();
  await assert.rejects(() => changes.ready, { code: "PERMISSION_DENIED" });
  await assert.rejects(() => changes.next(), { code: "PERMISSION_DENIED" });
});

// ---- Handling

test("a handler is called with each change in order, the next once it is done", async () => {
  const { agents } = channels();
  const seen = [];
  let done;
  const all = new Promise((fulfil) => {
    done = fulfil;
  });
  const remove = agents.on("status", async ({ id }) => {
    seen.push(`begin ${id}`);
    await null;
    seen.push(`end ${id}`);
    if (id === "a2") {
      done();
    }
  });
  await remove.ready;
  await agents.status("a1", "busy");
  await agents.health("a1", true);
  await agents.status("a2", "busy");
  await all;
  assert.deepEqual(seen, ["begin a1", "end a1", "begin a2", "end a2"]);
  remove();
});

test("a handler that fails is reported with the event, and gets the next change", async () => {
  const { agents } = channels();
  const errors = [];
  const good = new Promise((fulfil) => {
    const handler = ({ record }) => {
      if (record.status === "error") {
        throw new Error("cannot");
      }
      fulfil();
    };
    agents.on("status", handler, {
      id: "a1",
      onError: (error, event) => errors.push([error.message, event.seq]),
    });
  });
  await agents.status("a1", "error");
  await agents.status("a2", "error");
  await agents.status("a1", "busy");
  await good;
  assert.deepEqual(errors, [["cannot", 1]]);
});

test("a handler that is removed gets nothing more, and one that runs may finish", async () => {
  const { pubsub, tasks } = channels();
  const seen = [];
  let release;
  const held = new Promise((fulfil) => {
    release = fulfil;
  });
  let begun;
  const running = new Promise((fulfil) => {
    begun = fulfil;
  });
  const remove = tasks.on(null, async ({ event }) => {
    begun();
    await held;
    seen.push(event);
  });
  await tasks.started("t1");
  await tasks.completed("t1");
  await running;
  remove();
  remove();
  assert.equal(pubsub.streams[0].isClosed, true);
  release();
  await tasks.close();
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["started"]);
});

test("a handler removed before it was subscribed says so to who waits", async () => {
  const { pubsub, agents } = channels();
  const subscribe = pubsub.subscribe.bind(pubsub);
  pubsub.subscribe = (...args) => Object.assign(subscribe(...args), { ready: new Promise(() => {}) });
  const remove = agents.on("status", () => {});
  remove();
  await assert.rejects(remove.ready, { code: "CANCELLED" });
});

test("a refused handler says so to who waits and to onError, once each", async () => {
  const { pubsub, agents } = channels();
  pubsub.refusal = new SwarmwireError("PERMISSION_DENIED");
  const errors = [];
  const remove = agents.on("status", () => {}, {
    onError: (error, event) => errors.push([error.code, event]),
  });
  await assert.rejects(remove.ready, { code: "PERMISSION_DENIED" });
  await new Promise(setImmediate);
  assert.deepEqual(errors, [["PERMISSION_DENIED", null]]);
});

test("a subscription that is lost later goes to onError", async () => {
  const { pubsub, agents } = channels();
  const lost = new Promise((fulfil) => {
    agents.on("status", () => {}, { onError: (error, event) => fulfil([error.code, event]) });
  });
  pubsub.streams[0].put(new SwarmwireError("UNAVAILABLE"));
  assert.deepEqual(await lost, ["UNAVAILABLE", null]);
});

test("a subscription that cannot be closed is told to onError, and removing does not fail", async () => {
  const { pubsub, agents } = channels();
  const told = new Promise((fulfil) => {
    const remove = agents.on("status", () => {}, {
      onError: (error, event) => fulfil([error.message, event]),
    });
    pubsub.streams[0].close = async () => {
      throw new Error("stuck");
    };
    remove();
  });
  assert.deepEqual(await told, ["stuck", null]);
});

test("closing a channel ends its handlers and leaves its watches alone", async () => {
  const { pubsub, agents } = channels();
  agents.on("status", () => {});
  agents.on(null, () => {}, { id: "a1" });
  agents.watch();
  await agents.close();
  await agents.close();
  assert.deepEqual(
    pubsub.streams.map(({ isClosed }) => isClosed),
    [true, true, false],
  );
});
