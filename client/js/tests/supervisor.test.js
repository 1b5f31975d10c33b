import assert from "node:assert/strict";
import { test } from "node:test";

import { SwarmwireError } from "../src/protocol/errors.js";
import { FakeBroker, heard } from "./fakebroker.js";
import { turn } from "./rig.js";

const NOBODY = new SwarmwireError("UNAVAILABLE", "Nobody answers.");

test("the states of a reconnect are told in order", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const names = ["connected", "authenticated", "disconnected", "reconnecting", "resumed", "state"];
  const told = heard(client, ...names);
  await client.start();
  client.subscribe("a");
  await broker.last.cut(1006);
  await broker.advance(500);
  assert.deepEqual(
    told.map(([name, detail]) => (name === "state" ? detail.state : name)),
    [
      ..."ready connected authenticated".split(" "),
      ..."disconnected reconnecting reconnecting".split(" "),
      ..."ready connected authenticated resumed".split(" "),
    ],
  );
  const [, wait] = told.find(([name]) => name === "reconnecting");
  assert.equal(wait.attempt, 1);
  assert.equal(wait.delayMs, 500);
  assert.equal(wait.error.code, "UNAVAILABLE");
  await client.disconnect();
  assert.equal(client.state, "closed");
});

test("the same instance is told at each hello", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  await broker.last.cut();
  await broker.advance(500);
  const [first, second] = broker.connections.map(({ sent }) => sent[0].client.instance);
  assert.equal(first, second);
  await client.disconnect();
});

test("waits double with each failure, and begin again after a welcome", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ maxDelayMs: 3000 });
  const told = heard(client, "reconnecting");
  broker.refusal = NOBODY;
  await broker.last.cut();
  for (const ms of [500, 1000, 2000, 3000]) await broker.advance(ms);
  broker.refusal = null;
  await broker.advance(3000);
  assert.ok(client.isReady);
  await broker.last.cut();
  assert.deepEqual(
    told.map(([, { attempt, delayMs }]) => [attempt, delayMs]),
    [[1, 500], [2, 1000], [3, 2000], [4, 3000], [5, 3000], [1, 500]],
  );
  await client.disconnect();
});

test("the wait that a bye asks for is obeyed", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  await broker.last.bye(1012, { reconnect_after_ms: 7000 });
  await broker.advance(6999);
  assert.equal(broker.attempts.length, 1);
  broker.world.network(true); // the broker knows better
  await broker.advance(0);
  assert.equal(broker.attempts.length, 1);
  await broker.advance(1);
  assert.ok(client.isReady);
  await client.disconnect();
});

for (const [code, close] of [["LIMIT_EXCEEDED", 1013], ["SHUTTING_DOWN", 1012]]) {
  test(`${code} before a welcome is waited for as long as it says`, async () => {
    const broker = new FakeBroker();
    broker.greets = false;
    const client = broker.client({ retryFirst: true });
    const connected = client.start();
    await turn();
    broker.greets = true;
    await broker.last.bye(close, { error: { code, retry_after_ms: 4000 } });
    await broker.advance(3999);
    assert.equal(broker.attempts.length, 1);
    await broker.advance(1);
    await connected;
    await client.disconnect();
  });
}

const FINAL = [
  [1000, "UNAVAILABLE"],
  [4401, "AUTHENTICATION_FAILED"],
  [4403, "PERMISSION_DENIED"],
  [4406, "UNSUPPORTED_VERSION"],
];
for (const [close, code] of FINAL) {
  test(`a bye with ${close} ends it with ${code}`, async () => {
    const broker = new FakeBroker();
    const client = await broker.connect();
    const told = heard(client, "error", "state");
    const events = client.subscribe("a");
    await broker.last.bye(close);
    await broker.advance(100_000);
    assert.equal(broker.attempts.length, 1);
    assert.equal(client.state, "failed");
    assert.equal(client.error.code, code);
    assert.deepEqual(told.map(([name]) => name), ["state", "error"]);
    await assert.rejects(events.next(), { code });
    await assert.rejects(client.finished(), { code });
    assert.throws(() => client.subscribe("a"), { code });
    assert.equal(broker.clock.pending, 0);
  });
}

test("a normal close without a bye is a crash", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  await broker.last.cut(1000);
  await broker.advance(500);
  assert.ok(client.isReady);
  await client.disconnect();
});

test("the first connection is not retried unless that is asked for", async () => {
  const broker = new FakeBroker();
  broker.refusal = NOBODY;
  const client = broker.client();
  await assert.rejects(client.start(), { code: "UNAVAILABLE", message: "Nobody answers." });
  assert.equal(client.state, "failed");
  await assert.rejects(client.start(), { code: "UNAVAILABLE" });

  const patient = broker.client({ retryFirst: true });
  const connected = patient.start();
  await turn();
  broker.refusal = null;
  await broker.advance(500);
  assert.equal(await connected, patient);
  await patient.disconnect();
});

test("giving up after so many attempts is reported once, and ends everything", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ maxAttempts: 2 });
  const told = heard(client, "error");
  broker.refusal = NOBODY;
  await broker.last.cut();
  await broker.advance(500);
  await broker.advance(1000);
  assert.equal(client.state, "failed");
  assert.match(client.error.message, /Gave up after 2 attempts/);
  assert.equal(told.length, 1);
  await assert.rejects(client.publish("a", 1), { code: "UNAVAILABLE" });
});

test("without reconnect a loss is final", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ reconnect: false });
  client.listen("error", () => {});
  await broker.last.cut();
  await assert.rejects(client.finished(), { code: "UNAVAILABLE" });
});

test("a broker that says nothing is given up in time", async () => {
  const broker = new FakeBroker();
  broker.greets = false;
  const client = broker.client({ connectTimeoutMs: 3000 });
  const connected = client.start();
  await turn();
  const sentence = /No welcome came from ws:\/\/broker.test\/ws within 3000 ms/;
  await Promise.all([assert.rejects(connected, sentence), broker.advance(3000)]);
  assert.ok(broker.last.aborted);
});

test("an attempt that hangs in the transport is told to give up", async () => {
  const broker = new FakeBroker();
  broker.dial = (url, hooks, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const client = broker.client();
  const connected = client.start();
  await turn();
  await client.disconnect();
  await assert.rejects(connected, /was disconnected/);
});

test("there are no attempts while there is no network, and one at once when it is back", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  broker.world.network(false);
  await broker.last.cut();
  await broker.advance(60_000);
  assert.equal(broker.attempts.length, 1);
  broker.world.network(true);
  await broker.advance(0);
  assert.ok(client.isReady);
  await client.disconnect();
});

test("a broker of this machine is there without a network", async () => {
  const broker = new FakeBroker();
  const client = await broker.client({}, "ws://localhost:8765/ws").start();
  broker.world.network(false);
  await broker.last.cut();
  await broker.advance(500);
  assert.ok(client.isReady);
  await client.disconnect();
});

test("a page that is seen again does not wait for its turn", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  broker.world.show("hidden");
  await broker.last.cut();
  await broker.advance(100);
  assert.equal(broker.attempts.length, 1);
  broker.world.show("visible");
  await broker.advance(0);
  assert.ok(client.isReady);
  await client.disconnect();
});

test("a page that is seen again looks whether its connection is still there", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const told = heard(client, "disconnected");
  broker.world.show("visible");
  assert.equal(broker.last.of("ping").length, 1);
  broker.last.say({ type: "position", cursor: "e1:5" });
  await broker.advance(5000);
  assert.ok(client.isReady);
  broker.world.show("visible");
  await broker.advance(5000);
  assert.equal(told[0][1].code, 4409);
  await client.disconnect();
});

test("disconnect ends the wait for the next attempt", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  await broker.last.cut();
  await client.disconnect();
  await broker.advance(100_000);
  assert.equal(broker.attempts.length, 1);
  assert.equal(client.state, "closed");
  assert.equal(broker.clock.pending, 0);
});
