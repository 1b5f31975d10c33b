import assert from "node:assert/strict";
import { test } from "node:test";

import { event, FakeBroker, heard } from "./fakebroker.js";
import { turn } from "./rig.js";

const direct = (data) => event("hello", null, { direct: true, data });

test("what another client sends to this one is a message, and for none of its subscriptions", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const events = client.subscribe("#");
  const told = heard(client, "message");
  broker.last.say(direct({ x: 1 }));
  await turn();
  const [[, message]] = told;
  const { topic, data, sender, cursor } = message;
  assert.deepEqual([topic, data, sender, cursor], ["hello", { x: 1 }, "bob", null]);
  events.close();
  assert.ok((await events.next()).done);
  await client.disconnect();
});

test("listeners get one message after the other", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const seen = [];
  let go;
  client.listen("message", async ({ data }) => {
    seen.push(data);
    if (data === 1) await new Promise((resolve) => (go = resolve));
  });
  broker.last.say(direct(1), direct(2));
  await turn();
  assert.deepEqual(seen, [1]);
  go();
  await turn();
  assert.deepEqual(seen, [1, 2]);
  await client.disconnect();
});

test("more than may wait are left out, which is told once", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ queueSize: 2 });
  const told = heard(client, "error");
  const seen = [];
  let go;
  client.listen("message", async ({ data }) => {
    seen.push(data);
    if (data === 1) await new Promise((resolve) => (go = resolve));
  });
  for (const data of [1, 2, 3, 4, 5]) broker.last.say(direct(data));
  await turn();
  go();
  await turn();
  assert.deepEqual(seen, [1, 2, 3]);
  assert.deepEqual(told.map(([, { code }]) => code), ["SLOW_CONSUMER"]);
  await client.disconnect();
});

test("after the end no message is handed over", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const seen = [];
  let go;
  client.listen("message", async ({ data }) => {
    seen.push(data);
    await new Promise((resolve) => (go = resolve));
  });
  broker.last.say(direct(1), direct(2));
  await turn();
  await client.disconnect();
  go();
  await turn();
  assert.deepEqual(seen, [1]);
});
