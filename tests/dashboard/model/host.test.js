import assert from "node:assert/strict";
import { test } from "node:test";

import { Host } from "../../../broker/dashboard/model/host.js";
import { HandClock, event, settled } from "./events.js";
import { FakeClient } from "./fakeclient.js";

const LIVE = { cursor: "e1:1" };

function host() {
  const clock = new HandClock();
  /** @type {FakeClient[]} */
  const clients = [];
  /** @type {any[]} */
  const answers = [];
  /** @type {any} */
  const slices = {};
  const post = (/** @type {any} */ message) =>
    void (message.is === "frame" ? Object.assign(slices, message.slices) : answers.push(message));
  const makeClient = (/** @type {string} */ url, /** @type {any} */ options) => {
    clients.push(new FakeClient(url, options));
    return /** @type {any} */ (clients.at(-1));
  };
  const made = new Host({ post, makeClient, clock });
  const look = async (/** @type {any} */ wants = { status: {} }) => {
    clock.pass(500);
    await settled();
    made.take({ do: "frame", wants });
    clock.pass(250);
    return slices;
  };
  const connected = (/** @type {any} */ identity, /** @type {FakeClient["answers"]} */ answered = {}) => {
    made.take({ do: "connect", url: "ws://b/ws", token: "t" });
    const client = /** @type {FakeClient} */ (clients.at(-1));
    if (identity !== undefined) client.identity = identity;
    client.answers = answered;
    client.emit("connected");
    return client;
  };
  return { host: made, clock, clients, answers, slices, look, connected };
}

const LIST = { offset: 0, limit: 50 };

test("what the broker says is told to the page that asks", async () => {
  const { connected, look, host: made } = host();
  const client = connected();
  client.reading("#").push(event("agent.a1.status", { status: "busy" }), LIVE, event("x.y", 1, { skipped: 9 }));
  const told = await look({ status: {}, agents: LIST, topics: { ...LIST, open: [] } });
  assert.deepEqual([told.status.phase, told.status.live, told.status.seen, told.status.counts.agents], ["ready", true, 11, 1]);
  assert.equal(told.agents.rows[0].status, "busy");
  assert.deepEqual(told.topics.rows.map((/** @type {any} */ { path }) => path), ["agent", "x"]);
  made.close();
});

test("swarms are read whole by a stream of their own", async () => {
  const { connected, look, host: made } = host();
  const client = connected();
  client.reading("#").push(LIVE);
  await settled();
  assert.deepEqual([client.reading("swarm.#").options.from, client.reading("swarm.#").options.mode], ["start", "drop_oldest"]);
  client.reading("swarm.#").push(event("swarm.s1.agent-joined", { agentId: "a" }), event("swarm.s1.agent-joined", { agentId: "b" }));
  const told = await look({ swarms: { selected: "s1" } });
  assert.equal(told.swarms.detail.members.length, 2);
  made.close();
});

test("events of swarms that were dropped are told at the bell, other losses by the stream of everything", async () => {
  const { connected, look, host: made } = host();
  const client = connected();
  client.reading("#").push(LIVE);
  await settled();
  const gap = { start: "e1:1", end: "e1:9", dropped: 8 };
  client.reading("swarm.#").push({ ...gap, reason: "overflow" }, { ...gap, reason: "evicted", dropped: null });
  const { status } = await look();
  assert.deepEqual([status.gapCount, status.gaps[0].reason, status.gaps[0].dropped], [1, "overflow", 8]);
  made.close();
});

test("a new log empties the page, and what comes then is shown", async () => {
  const { connected, look, host: made } = host();
  const client = connected();
  client.reading("#").push(event("old.topic"), LIVE);
  await look();
  client.reading("#").push({ start: "e1:5", end: "e2:0", reason: "epoch", dropped: null });
  await settled();
  client.reading("#").push(event("new.topic"), LIVE);
  const told = await look({ status: {}, topics: { ...LIST, open: [] } });
  assert.deepEqual(told.topics.rows.map((/** @type {any} */ { path }) => path), ["new"]);
  assert.deepEqual([told.status.gapCount, told.status.gaps[0].reason], [1, "epoch"]);
  made.close();
});

test("after a reconnect to the same log the page goes on with what it has", async () => {
  const { connected, look, host: made } = host();
  const client = connected();
  client.reading("#").push(event("a.b"), LIVE);
  await look();
  client.emit("disconnected", { code: 1006, reason: "" });
  assert.equal((await look()).status.phase, "reconnecting");
  client.emit("connected");
  const told = await look();
  assert.deepEqual([told.status.phase, told.status.counts.topics, client.readings.length], ["ready", 1, 2]);
  made.close();
});

test("only what the identity may subscribe to is asked for, and nothing twice", async () => {
  const { connected, host: made } = host();
  const permissions = { subscribe: ["agent.*", "agent.#", "swarm.s1.#", "agent.#"] };
  const client = connected({ subject: "ops", permissions });
  for (const reading of [...client.readings]) reading.push(LIVE);
  await settled();
  assert.deepEqual(client.readings.map(({ pattern }) => pattern), ["agent.#", "swarm.s1.#", "swarm.s1.#"]);
  made.close();
});

test("a token that may nothing but read says so", async () => {
  const { connected, look, host: made } = host();
  connected({ subject: "viewer", permissions: { subscribe: ["#"], observe: true }, expires_at: 5 });
  const { status } = await look();
  assert.deepEqual(status.may, { publish: false, call: false, observe: true, admin: false });
  assert.deepEqual([status.identity.subject, status.identity.expiresAtMs], ["viewer", 5]);
  made.close();
});

test("what one may do stays known while the connection is lost", async () => {
  const { connected, look, host: made } = host();
  const client = connected();
  client.emit("disconnected");
  const { status } = await look();
  assert.deepEqual([status.phase, status.may.publish, status.may.call], ["reconnecting", true, true]);
  made.close();
});

test("who may administer may call, whatever patterns are granted", async () => {
  const { connected, look, host: made } = host();
  connected({ subject: "root", permissions: { subscribe: ["#"], admin: true } });
  const { status } = await look();
  assert.deepEqual(status.may, { publish: false, call: true, observe: true, admin: true });
  made.close();
});

test("what may not be asked is said in its place, and the rest stands", async () => {
  const { connected, look, host: made } = host();
  const denied = () => {
    throw Object.assign(new Error("It needs the admin permission."), { code: "PERMISSION_DENIED" });
  };
  const queues = () => ({ queues: [{ name: "q", pending: 2 }] });
  const client = connected(undefined, { "metrics.get": denied, "client.list": denied, "queue.status": queues });
  client.reading("#").push(event("task.t1.created", { type: "x" }), LIVE);
  const wants = { overview: {}, clients: LIST, tasks: LIST };
  await look(wants);
  const told = await look(wants);
  assert.deepEqual([told.overview.denied, told.clients.denied], ["It needs the admin permission.", "It needs the admin permission."]);
  assert.deepEqual([told.tasks.queues[0].pending, told.tasks.total], [2, 1]);
  made.close();
});

test("a list that was told while much came is told once more when nothing comes any more", async () => {
  const { connected, host: made, clock, slices } = host();
  const client = connected();
  const ask = () => made.take({ do: "frame", wants: { agents: LIST } });
  ask();
  client.reading("#").push(event("agent.a.status", { status: "idle" }), LIVE);
  await settled();
  for (let turn = 0; turn < 8; turn += 1) {
    ask();
    clock.pass(100);
  }
  assert.equal(slices.agents.rows.length, 1);
  made.close();
});

test("calls and publishes of the page are answered, or refused with the broker's words", async () => {
  const { connected, host: made, answers, clients } = host();
  made.take({ do: "call", id: 1, method: "m" });
  await settled();
  assert.equal(answers[0].error.code, "UNAVAILABLE");
  connected(undefined, { m: (params) => ({ got: params }) });
  made.take({ do: "call", id: 2, method: "m", params: 5 });
  made.take({ do: "call", id: 3, method: "n" });
  made.take({ do: "publish", id: 4, topic: "a", data: 6 });
  await settled();
  assert.deepEqual(answers.slice(1).map(({ id, data, error }) => [id, data ?? error.code]), [
    [2, { got: 5 }], [3, "METHOD_NOT_FOUND"], [4, { seq: 1, duplicate: false }],
  ]);
  assert.deepEqual(clients[0].calls.at(-1), ["a", 6]);
  made.close();
});

test("a flood makes the ticks longer", async () => {
  const { connected, host: made, clock } = host();
  const client = connected();
  client.reading("#").push(LIVE);
  for (let turn = 0; turn < 12; turn += 1) {
    client.reading("#").push(...Array.from({ length: 2000 }, (_, number) => event(`t.${number}`)));
    clock.pass(250);
    await settled();
  }
  const { conflateMs, from } = client.reading("#").options;
  assert.ok(conflateMs >= 1000, `${conflateMs}`);
  assert.equal(from, "latest");
  made.close();
});

test("who logs out sees nothing of what was there", async () => {
  const { connected, look, host: made } = host();
  connected().reading("#").push(event("a.b"), LIVE);
  await look();
  made.take({ do: "logout" });
  const told = await look({ status: {}, topics: { ...LIST, open: [] } });
  assert.deepEqual([told.status.phase, told.topics.total, told.status.seen, told.status.identity], ["login", 0, 0, null]);
  made.close();
});

test("who logs in with less sees no figures of who was there before", async () => {
  const { connected, look, host: made, clock } = host();
  const wants = { status: {}, overview: {}, clients: LIST, tasks: LIST };
  made.take({ do: "frame", wants });
  connected(undefined, {
    "metrics.get": () => ({ timestamp: 1790000000000, counters: {}, gauges: { connections: 3 } }),
    "daemon.status": () => ({ status: "running", started: 1, uptime: 2 }),
    "client.list": () => ({ clients: [{ client_id: "c1", name: "secret" }], count: 1 }),
    "queue.status": () => ({ queues: [{ name: "builds" }] }),
    "worker.status": () => ({ total: 4 }),
  });
  await settled();
  clock.pass(2500);
  const told = await look(wants);
  assert.deepEqual(
    [told.overview.gauges.connections, told.clients.total, told.tasks.queues.length, told.status.counts.clients],
    [3, 1, 1, 1],
  );
  made.take({ do: "logout" });
  connected({ subject: "guest", permissions: { subscribe: ["a.#"] } });
  await settled();
  clock.pass(1000);
  const { overview, clients, tasks, status } = await look(wants);
  assert.deepEqual(
    [overview.series, overview.gauges, overview.daemon, clients.total, tasks.queues, tasks.workers, status.counts.clients],
    [null, {}, null, 0, null, null, null],
  );
  made.close();
});

test("when closed no timer is left", async () => {
  const { connected, host: made, clock } = host();
  connected();
  await settled();
  made.close();
  await settled();
  assert.equal(clock.timers, 0);
});
