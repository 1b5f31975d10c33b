import assert from "node:assert/strict";
import { test } from "node:test";

import { CACHED_TOPICS } from "../src/subscriptions.js";
import { event, FakeBroker, heard, seqs, take } from "./fakebroker.js";
import { turn } from "./rig.js";

/** A connected client with its broker. */
async function connected(options) {
  const broker = new FakeBroker();
  return { broker, client: await broker.connect(options) };
}

/** A new connection after a loss. */
async function reconnected(broker) {
  await broker.last.cut();
  await broker.advance(500);
  return broker.last;
}

test("an event without sub goes to every live subscription that it matches and that is behind", async () => {
  const { broker, client } = await connected();
  const [all, some, none] = ["#", "a.*", "b"].map((pattern) => client.subscribe(pattern));
  broker.last.say(event("a.x", 1), event("a.y.z", 2), event("a.x", 2), event("a.x", 3));
  assert.deepEqual(await seqs(all, 3), [1, 2, 3]);
  assert.deepEqual(await seqs(some, 3), [1, 2, 3]);
  assert.equal(none.cursor, "e1:0");
  await client.disconnect();
});

test("an event with sub goes to that subscription alone", async () => {
  const { broker, client } = await connected();
  const [first, second] = [client.subscribe("a"), client.subscribe("a", { from: "start" })];
  const [, sub] = broker.last.names("a");
  broker.last.say(event("a", 1, { sub }), event("a", 2, { sub }), event("a", 9, { sub: "stranger" }));
  broker.last.say({ type: "live", sub, cursor: "e1:2" }, event("a", 3));
  assert.deepEqual(await seqs(second, 3), [1, 2, 3]);
  assert.deepEqual(await seqs(first, 1), [3]);
  await client.disconnect();
});

test("a replaying subscription takes no shared event before its live", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a", { from: "start" });
  const [sub] = broker.last.names("a");
  broker.last.say(event("a", 5), event("a", 4, { sub }), { type: "live", sub, cursor: "e1:5" });
  broker.last.say(event("a", 5), event("a", 6));
  assert.deepEqual(await seqs(events, 2), [4, 6]);
  await client.disconnect();
});

test("events already received are not handed out again", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.last.say(event("a", 2), event("a", 2), event("a", 1), event("a", 3));
  assert.deepEqual(await seqs(events, 2), [2, 3]);
  await client.disconnect();
});

test("a conflating subscription has a position of its own", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a", { conflateMs: 100 });
  const [sub] = broker.last.names("a");
  assert.deepEqual(broker.last.asked[0].mode, { conflate_ms: 100 });
  broker.last.say(event("a", 3), event("a", 4, { sub, skipped: 3 }), { type: "position", cursor: "e1:9" });
  const [first] = await take(events, 1);
  assert.equal(first.skipped, 3);
  broker.last.say({ type: "position", sub, cursor: "e1:6" });
  const next = events.next();
  assert.equal(events.cursor, "e1:6");
  events.close();
  await next;
  await client.disconnect();
});

test("an ephemeral event goes to each live subscription and moves none", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.last.say(event("a", null));
  const [ephemeral] = await take(events, 1);
  assert.ok(ephemeral.ephemeral);
  assert.equal(ephemeral.seq, null);
  assert.equal(ephemeral.cursor, null);
  assert.equal(events.cursor, "e1:0");
  await client.disconnect();
});

test("every subscription is asked for again at its own place, in one message", async () => {
  const { broker, client } = await connected();
  const first = client.subscribe("a");
  client.subscribe("b");
  client.subscribe("c", { mode: "drop_oldest", queueSize: 7 });
  broker.last.say(event("a", 4), { type: "position", cursor: "e1:6" }, event("a", 8));
  const connection = await reconnected(broker);
  assert.equal(connection.of("subscribe").length, 1);
  assert.deepEqual(
    connection.asked.map(({ pattern, from, mode, queue_size }) => [pattern, from, mode, queue_size]),
    [
      ["a", { cursor: "e1:8" }, "all", undefined],
      ["b", { cursor: "e1:6" }, "all", undefined],
      ["c", { cursor: "e1:0" }, "drop_oldest", 7],
    ],
  );
  assert.deepEqual(await seqs(first, 2), [4, 8]);
  await client.disconnect();
});

test("the second and the third reconnect are like the first", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  for (const seq of [1, 2, 3]) {
    const [sub] = broker.last.names("a");
    if (seq > 1) broker.last.say({ type: "live", sub, cursor: `e1:${seq - 1}` });
    broker.last.say(event("a", seq));
    const connection = await reconnected(broker);
    assert.deepEqual(connection.asked[0].from, { cursor: `e1:${seq}` });
  }
  assert.deepEqual(await seqs(events, 3), [1, 2, 3]);
  await client.disconnect();
});

test("a resumed subscription reads the past first, and nothing twice", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.last.say(event("a", 1));
  const connection = await reconnected(broker);
  const [sub] = connection.names("a");
  connection.say(event("a", 5), event("a", 1, { sub }), event("a", 4, { sub }));
  connection.say({ type: "live", sub, cursor: "e1:5" }, event("a", 5), event("a", 6));
  assert.deepEqual(await seqs(events, 3), [1, 4, 6]);
  await client.disconnect();
});

test("resumed is told after the subscriptions were acknowledged", async () => {
  const { broker, client } = await connected();
  client.subscribe("a");
  const told = heard(client, "connected", "resumed");
  broker.acks = false;
  const connection = await reconnected(broker);
  assert.deepEqual(told.map(([name]) => name), ["connected"]);
  connection.accept(connection.of("subscribe")[0]);
  assert.deepEqual(told.map(([name]) => name), ["connected", "resumed"]);
  await client.disconnect();
});

for (const from of ["now", "start", "latest", { last: 3 }]) {
  const name = JSON.stringify(from);
  test(`a subscribe from ${name} cut before its answer is asked again as it was`, async () => {
    const { broker, client } = await connected();
    broker.acks = false;
    client.subscribe("a", { from });
    const before = broker.last.asked[0].from;
    const connection = await reconnected(broker);
    assert.deepEqual(connection.asked[0].from, before);
    await client.disconnect();
  });
}

test("a replay cut before its first event goes on from where it was acknowledged", async () => {
  const { broker, client } = await connected();
  broker.cursor = "e1:17";
  client.subscribe("a", { from: { last: 3 } });
  const connection = await reconnected(broker);
  assert.deepEqual(connection.asked[0].from, { cursor: "e1:17" });
  await client.disconnect();
});

test("an unfinished snapshot is asked for again, and what was had of it is not shown twice", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("#", { from: "latest" });
  let [sub] = broker.last.names("#");
  broker.last.say(event("a", 3, { sub }), event("b", 5, { sub }));
  const connection = await reconnected(broker);
  assert.equal(connection.asked[0].from, "latest");
  [sub] = connection.names("#");
  connection.say(event("a", 3, { sub }), event("b", 5, { sub }), event("c", 6, { sub }));
  connection.say({ type: "live", sub, cursor: "e1:9" });
  assert.deepEqual(await seqs(events, 3), [3, 5, 6]);
  assert.deepEqual((await reconnected(broker)).asked[0].from, { cursor: "e1:9" });
  await client.disconnect();
});

test("an unfinished snapshot of a log that was recreated is one of the new log, behind a gap", async () => {
  const { broker, client } = await connected();
  const told = heard(client, "gap");
  const items = client.subscribe("#", { from: "latest", gaps: true });
  let [sub] = broker.last.names("#");
  broker.last.say(event("a", 30, { sub }));
  broker.cursor = "e2:4";
  const connection = await reconnected(broker);
  [sub] = connection.names("#");
  connection.say(event("a", 2, { sub }));
  const [first, gap, second] = await take(items, 3);
  assert.equal(first.cursor, "e1:30");
  assert.deepEqual([gap.start, gap.end, gap.reason], ["e1:30", "e2:0", "epoch"]);
  assert.equal(second.cursor, "e2:2");
  assert.equal(told.length, 1);
  await client.disconnect();
});

test("a snapshot hands out events older than what the table dropped", async () => {
  const { broker, client } = await connected();
  const items = client.subscribe("#", { from: "latest", gaps: true });
  const [sub] = broker.last.names("#");
  broker.last.say({ type: "gap", sub, from: "e1:0", to: "e1:40", reason: "evicted" }, event("a", 7, { sub }));
  const [gap, older] = await take(items, 2);
  assert.equal(gap.reason, "evicted");
  assert.equal(older.seq, 7);
  await client.disconnect();
});

test("a gap with sub concerns that subscription alone", async () => {
  const { broker, client } = await connected();
  const [first, second] = [client.subscribe("a"), client.subscribe("a", { from: "start" })];
  const told = heard(client, "gap");
  const [, sub] = broker.last.names("a");
  broker.last.say({ type: "gap", sub, from: "e1:0", to: "e1:9", reason: "evicted", dropped: 4 });
  assert.equal(second.cursor, "e1:9");
  assert.equal(first.cursor, "e1:0");
  const [[, gap]] = told;
  assert.deepEqual({ ...gap }, { start: "e1:0", end: "e1:9", reason: "evicted", pattern: "a", dropped: 4 });
  await client.disconnect();
});

test("a gap without sub is news for who is behind, and only the part that is", async () => {
  const { broker, client } = await connected();
  client.subscribe("a");
  broker.last.say({ type: "position", cursor: "e1:20" });
  broker.cursor = "e1:5";
  client.subscribe("b");
  const told = heard(client, "gap");
  broker.last.say({ type: "gap", from: "e1:0", to: "e1:20", reason: "evicted" });
  const news = told.map(([, { start, end, pattern }]) => [start, end, pattern]);
  assert.deepEqual(news, [["e1:5", "e1:20", "b"]]);
  await client.disconnect();
});

test("after an epoch gap cursors belong to the new log", async () => {
  const { broker, client } = await connected();
  const items = client.subscribe("a", { gaps: true });
  broker.last.say(event("a", 41), { type: "gap", from: "e1:41", to: "e2:0", reason: "epoch" }, event("a", 1));
  const [, gap, event_] = await take(items, 3);
  assert.equal(gap.reason, "epoch");
  assert.equal(event_.cursor, "e2:1");
  const connection = await reconnected(broker);
  assert.deepEqual(connection.asked[0].from, { cursor: "e2:1" });
  await client.disconnect();
});

test("an epoch gap goes back where the log has lost its end", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.last.say(event("a", 41), { type: "gap", from: "e1:41", to: "e1:7", reason: "epoch" }, event("a", 8));
  assert.deepEqual(await seqs(events, 2), [41, 8]);
  await client.disconnect();
});

test("a denied gap ends that subscription with an error", async () => {
  const { broker, client } = await connected();
  const [denied, other] = [client.subscribe("a"), client.subscribe("b")];
  const told = heard(client, "gap");
  const [sub] = broker.last.names("a");
  const gap = { type: "gap", sub, from: "e1:1", to: "e1:1", reason: "denied" };
  broker.last.say(event("a", 1), gap, event("b", 2));
  assert.deepEqual(await seqs(denied, 1), [1]);
  await assert.rejects(denied.next(), { code: "PERMISSION_DENIED" });
  assert.equal(told[0][1].reason, "denied");
  assert.deepEqual(await seqs(other, 1), [2]);
  assert.deepEqual((await reconnected(broker)).asked.map(({ pattern }) => pattern), ["b"]);
  await client.disconnect();
});

test("a refused subscription of several leaves the others", async () => {
  const { broker, client } = await connected();
  const [first, second] = [client.subscribe("a"), client.subscribe("b")];
  broker.acks = false;
  const connection = await reconnected(broker);
  const [one, two] = connection.asked;
  const error = { type: "error", code: "PERMISSION_DENIED", message: "No." };
  const results = [{ sub: one.sub, error }, { sub: two.sub, cursor: "e1:0" }];
  connection.say({ type: "ack", id: connection.of("subscribe")[0].id, results });
  connection.say({ type: "live", sub: two.sub, cursor: "e1:0" }, event("b", 1));
  await assert.rejects(first.next(), { code: "PERMISSION_DENIED" });
  assert.deepEqual(await seqs(second, 1), [1]);
  await client.disconnect();
});

test("an error with or without results refuses all of a subscribe", async () => {
  const { broker, client } = await connected();
  broker.acks = false;
  for (const named of [true, false]) {
    const events = client.subscribe("a");
    const { id, subscriptions } = broker.last.of("subscribe").at(-1);
    const error = { type: "error", code: "INVALID_TOPIC", message: "No." };
    const results = named ? [{ sub: subscriptions[0].sub, error }] : undefined;
    broker.last.say({ ...error, id, results });
    await assert.rejects(events.ready, { code: "INVALID_TOPIC" });
    await assert.rejects(events.next(), { code: "INVALID_TOPIC" });
  }
  await client.disconnect();
});

test("a subscription that was good is asked for again when the broker was busy", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.acks = false;
  const connection = await reconnected(broker);
  const { id } = connection.of("subscribe")[0];
  connection.say({ type: "error", id, code: "RATE_LIMIT_EXCEEDED", message: "No.", retry_after_ms: 300 });
  broker.acks = true;
  await broker.advance(299);
  assert.equal(connection.of("subscribe").length, 1);
  await broker.advance(1);
  const sub = connection.names("a").at(-1);
  connection.say({ type: "live", sub, cursor: "e1:0" }, event("a", 1));
  assert.deepEqual(await seqs(events, 1), [1]);
  await client.disconnect();
});

test("what is over the limit of a message is asked for in several", async () => {
  const { broker, client } = await connected();
  for (let each = 0; each < 10; each += 1) client.subscribe(`${each}.${"x".repeat(40)}`);
  broker.limits = { max_message_bytes: 1000 };
  const told = heard(client, "resumed");
  const connection = await reconnected(broker);
  assert.ok(connection.of("subscribe").length > 1);
  assert.equal(connection.asked.length, 10);
  assert.equal(told.length, 1);
  await client.disconnect();
});

test("more topics than are remembered reach their subscription all the same", async () => {
  const { broker, client } = await connected();
  const count = CACHED_TOPICS + 10;
  const events = client.subscribe("a.*", { buffer: 2 * count });
  for (let seq = 1; seq <= count; seq += 1) broker.last.say(event(`a.${seq}`, seq), event(`b.${seq}`, seq));
  broker.last.say(event("a.1", count + 1));
  assert.equal((await seqs(events, count + 1)).at(-1), count + 1);
  await client.disconnect();
});

// ---- Readers that are slow

/** Fill the two places of a subscription, and one more. */
async function overfilled(options = {}) {
  const { broker, client } = await connected();
  const events = client.subscribe("a", { buffer: 2, ...options });
  for (const seq of [1, 2, 3]) {
    broker.last.say(event("a", seq));
    await turn();
  }
  return { broker, client, events };
}

test("a full iterator is unsubscribed, and asked for again under another name when half empty", async () => {
  const { broker, client, events } = await overfilled();
  const [name] = broker.last.names("a");
  assert.deepEqual(broker.last.of("unsubscribe")[0].subs, [name]);
  assert.equal(broker.last.asked.length, 1);
  assert.deepEqual(await seqs(events, 1), [1]);
  const [, again] = broker.last.asked;
  assert.deepEqual(again.from, { cursor: "e1:2" });
  assert.notEqual(again.sub, name);
  broker.last.say(event("a", 3, { sub: name }), event("a", 3, { sub: again.sub }));
  assert.deepEqual(await seqs(events, 2), [2, 3]);
  await client.disconnect();
});

test("other subscriptions go on while one is full, and the socket is read", async () => {
  const { broker, client } = await overfilled();
  const other = client.subscribe("a");
  broker.last.say(event("a", 4), { type: "ping", ts: 1 });
  assert.deepEqual(await seqs(other, 1), [4]);
  assert.equal(broker.last.of("pong").length, 1);
  await client.disconnect();
});

test("a paused subscription waits for its reader over a reconnect", async () => {
  const { broker, client, events } = await overfilled();
  const connection = await reconnected(broker);
  assert.deepEqual(connection.asked, []);
  assert.deepEqual(await seqs(events, 2), [1, 2]);
  assert.deepEqual(connection.asked[0].from, { cursor: "e1:2" });
  await client.disconnect();
});

test("a snapshot cut by a full iterator is asked for again as a whole", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("#", { from: "latest", buffer: 2 });
  let [sub] = broker.last.names("#");
  for (const seq of [1, 2, 3]) {
    broker.last.say(event("a", seq, { sub }));
    await turn();
  }
  assert.deepEqual(await seqs(events, 2), [1, 2]);
  const again = broker.last.asked.at(-1);
  assert.equal(again.from, "latest");
  sub = again.sub;
  broker.last.say(event("a", 2, { sub }), event("a", 3, { sub }));
  assert.deepEqual(await seqs(events, 1), [3]);
  await client.disconnect();
});

test("a gap that a full iterator cannot take is told again", async () => {
  const { broker, client } = await connected();
  const items = client.subscribe("a", { buffer: 1, gaps: true });
  const told = heard(client, "gap");
  broker.last.say(event("a", 1));
  await turn();
  broker.last.say({ type: "gap", from: "e1:1", to: "e1:5", reason: "evicted" });
  await turn();
  assert.equal(told.length, 0);
  assert.deepEqual(await seqs(items, 1), [1]);
  assert.deepEqual(broker.last.asked.at(-1).from, { cursor: "e1:1" });
  await client.disconnect();
});

test("ephemeral events that find no room are owed to nobody", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a", { buffer: 1 });
  broker.last.say(event("a", 1));
  await turn();
  broker.last.say(event("a", null));
  assert.deepEqual(broker.last.of("unsubscribe"), []);
  assert.deepEqual(await seqs(events, 1), [1]);
  await client.disconnect();
});

test("where dropping was asked for the oldest go, and one gap says so", async () => {
  const { broker, client } = await connected();
  const told = heard(client, "gap");
  const items = client.subscribe("a", { mode: "drop_oldest", buffer: 2, gaps: true });
  const [sub] = broker.last.names("a");
  for (let seq = 1; seq <= 5; seq += 1) {
    broker.last.say(event("a", seq, { sub }));
    await turn();
  }
  const [gap, four, five] = await take(items, 3);
  assert.deepEqual({ ...gap }, { start: "e1:0", end: "e1:3", reason: "overflow", pattern: "a", dropped: 3 });
  assert.deepEqual([four.seq, five.seq], [4, 5]);
  assert.equal(told.length, 1);
  assert.deepEqual(broker.last.of("unsubscribe"), []);
  await client.disconnect();
});
