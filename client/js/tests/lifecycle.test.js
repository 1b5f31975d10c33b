import assert from "node:assert/strict";
import { test } from "node:test";

import { event, FakeBroker, heard } from "./fakebroker.js";
import { turn } from "./rig.js";

test("it is ready only between a welcome and the next loss", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  assert.deepEqual([client.isReady, client.state, client.id], [false, "connecting", null]);
  assert.equal(client.identity, null);
  await client.start();
  assert.deepEqual([client.isReady, client.state], [true, "ready"]);
  await broker.last.cut();
  assert.deepEqual([client.isReady, client.state, client.id], [false, "reconnecting", null]);
  assert.equal(client.identity.subject, "alice");
  assert.equal(client.transport, null);
  await client.disconnect();
});

test("starting twice is one connection", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  await Promise.all([client.start(), client.start()]);
  assert.equal(broker.attempts.length, 1);
  await client.disconnect();
  await assert.rejects(client.start(), { code: "UNAVAILABLE" });
});

test("what is published before there is a connection is sent with it", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const published = client.publish("a", 1);
  await client.start();
  const [{ id }] = broker.last.of("publish");
  broker.last.say({ type: "ack", id, seq: 4 });
  assert.equal((await published).seq, 4);
  await client.disconnect();
});

test("disconnect sends what publish took, and waits for its acknowledgement", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const published = client.publish("a", 1);
  const leaving = client.disconnect();
  await turn();
  assert.deepEqual(broker.last.of("bye"), []);
  assert.throws(() => client.subscribe("a"), { code: "UNAVAILABLE" });
  broker.last.say({ type: "ack", id: broker.last.of("publish")[0].id, seq: 1 });
  await leaving;
  assert.equal((await published).seq, 1);
  assert.equal(broker.last.sent.at(-1).type, "bye");
});

test("disconnect waits no longer than it was told", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ drainTimeoutMs: 50 });
  const published = assert.rejects(client.publish("a", 1), { code: "OUTCOME_UNKNOWN" });
  const leaving = client.disconnect();
  await turn();
  await broker.advance(50);
  await leaving;
  await published;
});

test("disconnect is final and harmless twice", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const told = heard(client, "state", "error", "disconnected");
  await Promise.all([client.disconnect(), client.disconnect()]);
  await client.disconnect();
  await client.finished();
  await broker.advance(100_000);
  assert.equal(broker.attempts.length, 1);
  assert.deepEqual(told.map(([name, detail]) => detail.state ?? name), ["disconnected", "closed"]);
  assert.equal(broker.clock.pending, 0);
});

test("a client that was never started disconnects as well", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const events = client.subscribe("a");
  const published = assert.rejects(client.publish("a", 1), { code: "UNAVAILABLE" });
  await client.disconnect();
  assert.ok((await events.next()).done);
  await published;
  assert.equal(broker.attempts.length, 0);
});

test("disconnecting in a handler of events does not wait for itself", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const left = new Promise((resolve) => client.on("a", () => resolve(client.disconnect())));
  broker.last.say(event("a", 1));
  await left;
  assert.equal(client.state, "closed");
});

const skip = !Symbol.asyncDispose;

test("a client ends with the block that uses it, where the language can", { skip }, async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  await client[Symbol.asyncDispose]();
  assert.equal(client.state, "closed");
});
