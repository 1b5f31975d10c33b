import assert from "node:assert/strict";
import { test } from "node:test";

import { Disconnected, SwarmwireError } from "../src/protocol/errors.js";
import { event, FakeBroker, heard, seqs } from "./fakebroker.js";
import { turn } from "./rig.js";

test("the hello says who we are, and the welcome can be read", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ name: "shop", kind: "agent", token: "t", metadata: { team: 1 } });
  const [hello] = broker.last.sent;
  assert.deepEqual(hello.versions, ["1"]);
  assert.equal(hello.token, "t");
  assert.deepEqual(hello.metadata, { team: 1 });
  assert.equal(hello.client.name, "shop");
  assert.equal(hello.client.kind, "agent");
  assert.match(hello.client.instance, /^[0-9a-f]{32}$/);
  assert.equal(client.id, "aaaaaaaaaaaa");
  assert.equal(client.identity.subject, "alice");
  assert.equal(client.server.name, "fake");
  assert.equal(client.head, "e1:0");
  assert.equal(client.limits.dedupe_ms, 60_000);
  assert.equal(client.durability, "accepted");
  assert.equal(client.transport, "websocket");
  assert.equal(client.url, "ws://broker.test/ws");
  await client.disconnect();
});

test("a ping of the broker is answered with its number", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  broker.last.say({ type: "ping", ts: 7 }, { type: "ping" });
  assert.deepEqual(broker.last.of("pong"), [{ type: "pong", ts: 7 }, { type: "pong" }]);
  await client.disconnect();
});

test("a client that leaves says bye and closes", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  await client.disconnect();
  assert.deepEqual(broker.last.sent.at(-1), { type: "bye", code: 1000, reason: "The client is done." });
  assert.equal(broker.last.closed.code, 1000);
});

test("what came right behind the welcome is taken", async () => {
  const broker = new FakeBroker();
  broker.greets = false;
  const client = broker.client();
  const told = heard(client, "pong");
  const connected = client.start();
  await turn();
  broker.last.greet();
  broker.last.say({ type: "ping", ts: 1 });
  await connected;
  assert.deepEqual(broker.last.of("pong"), [{ type: "pong", ts: 1 }]);
  assert.deepEqual(told, []);
  await client.disconnect();
});

test("what came before the end is taken before the end", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ reconnect: false });
  client.listen("error", () => {});
  const events = client.subscribe("a");
  for (let seq = 1; seq <= 3; seq += 1) broker.last.say(event("a", seq));
  await broker.last.cut();
  assert.deepEqual(await seqs(events, 3), [1, 2, 3]);
  await assert.rejects(events.next(), Disconnected);
});

test("what is no broker is a named error", async () => {
  const broker = new FakeBroker();
  broker.greets = false;
  const started = broker.client().start();
  await turn();
  broker.last.say("hello?");
  await assert.rejects(started, /no Swarmwire broker/);
  assert.ok(broker.last.aborted);
});

test("a welcome of a version that was not offered is refused", async () => {
  const broker = new FakeBroker();
  broker.welcome = { version: "9" };
  const client = broker.client({ retryFirst: true });
  await assert.rejects(client.start(), { code: "UNSUPPORTED_VERSION" });
});

test("a message that is none is reported, and one of a later version is passed over", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const told = heard(client, "error");
  broker.last.say({ type: "novelty", x: 1 });
  broker.last.say({ type: "event", topic: 7 });
  broker.last.say({ type: "position", cursor: "nowhere" });
  assert.deepEqual(
    told.map(([, error]) => error.code),
    ["INVALID_MESSAGE", "INVALID_MESSAGE"],
  );
  assert.ok(client.isReady);
  await client.disconnect();
});

test("an error of the connection without a close is reported", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const told = heard(client, "error");
  broker.last.say({ type: "error", code: "RATE_LIMIT_EXCEEDED", message: "Slow down.", retry_after_ms: 5 });
  assert.equal(told[0][1].code, "RATE_LIMIT_EXCEEDED");
  assert.equal(told[0][1].retryAfterMs, 5);
  await client.disconnect();
});

test("a burst is no slow reader: who iterates gets a turn before it is judged", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ queueSize: 4 });
  const events = client.subscribe("a");
  const reading = seqs(events, 40);
  for (let seq = 1; seq <= 40; seq += 1) broker.last.say(event("a", seq));
  assert.equal((await reading).length, 40);
  assert.deepEqual(broker.last.of("unsubscribe"), []);
  await client.disconnect();
});

test("a message over the broker's limit is not sent", async () => {
  const broker = new FakeBroker();
  broker.limits = { max_message_bytes: 200 };
  const client = await broker.connect();
  await assert.rejects(client.call("m", "x".repeat(300)), { code: "MESSAGE_TOO_LARGE" });
  assert.ok(client.isReady);
  await client.disconnect();
});

test("a broker of another name is nobody", async () => {
  const broker = new FakeBroker();
  await assert.rejects(broker.connect({ broker: "build" }), /called fake, not build/);
  const client = await broker.connect({ broker: "fake" });
  await client.disconnect();
});

test("a fault of the transport is a named error", async () => {
  const broker = new FakeBroker();
  broker.refusal = new TypeError("odd");
  await assert.rejects(broker.connect(), (error) => {
    return error instanceof SwarmwireError && error.code === "UNAVAILABLE";
  });
});
