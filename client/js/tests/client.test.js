import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Client } from "../src/client.js";
import { FakeBroker, take } from "./fakebroker.js";
import { codes, turn } from "./rig.js";

test("after a welcome subscriptions come first, then handlers, publishes, and the users", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  client.subscribe("a");
  client.handle("m", () => 1);
  const published = codes(client.publish("a", 1));
  await broker.last.cut();
  let sent;
  client.listen("connected", () => (sent = broker.last.sent.map(({ type }) => type)));
  await broker.advance(500);
  assert.deepEqual(sent, ["hello", "subscribe", "call", "publish"]);
  await broker.last.bye(4403);
  await published;
});

test("calls go out and their answers come back", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const [answer, refusal] = [client.call("sum", [1, 2]), client.call("sum")];
  await turn();
  const [first, second] = broker.last.of("call");
  broker.last.say({ type: "error", id: second.id, code: "METHOD_NOT_FOUND", message: "No." });
  broker.last.say({ type: "reply", id: first.id, data: 3 });
  assert.deepEqual(await codes(answer, refusal), [3, "METHOD_NOT_FOUND"]);
  await client.disconnect();
});

test("streamed replies are read as they come", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const replies = client.callStream("count");
  const reading = take(replies, 3);
  await turn();
  const [{ id }] = broker.last.of("call");
  broker.last.say({ type: "reply", id, data: 1, more: true }, { type: "reply", id, data: 2 });
  assert.deepEqual(await reading, [1, 2]);
  await client.disconnect();
});

test("a handler answers calls", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  client.handle("double", (x) => x * 2);
  broker.last.say({ type: "call", id: "b:1", method: "double", params: 4, deadline: 1_800_000_000_000 });
  await turn();
  assert.deepEqual(broker.last.of("reply"), [{ type: "reply", id: "b:1", data: 8 }]);
  await client.disconnect();
});

test("a client shows nobody its token", async () => {
  const client = new Client("ws://a/ws", { token: "secret" });
  assert.ok(!inspect(client, { depth: 9, showHidden: true }).includes("secret"));
  await client.disconnect();
});
