import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeBroker, heard } from "./fakebroker.js";
import { turn } from "./rig.js";

test("a ping tells the milliseconds to the broker and back", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const told = heard(client, "pong");
  const [first, second] = [client.ping(), client.ping()];
  await turn();
  const [one, other] = broker.last.of("ping");
  assert.notEqual(one.ts, other.ts);
  broker.clock.advance(7);
  broker.last.say({ type: "pong", ts: one.ts });
  broker.clock.advance(5);
  broker.last.say({ type: "pong", ts: other.ts }, { type: "pong", ts: other.ts }, { type: "pong" });
  assert.deepEqual(await Promise.all([first, second]), [7, 12]);
  assert.deepEqual(told, [["pong", { latencyMs: 7 }], ["pong", { latencyMs: 12 }]]);
  await client.disconnect();
  assert.equal(broker.clock.pending, 0);
});

test("a ping fails without a connection, with its loss, and when its time is over", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ requestTimeoutMs: 100 });
  const late = assert.rejects(client.ping(), { code: "TIMEOUT" });
  await turn();
  broker.clock.advance(100);
  await late;
  const cut = assert.rejects(client.ping(), { code: "UNAVAILABLE" });
  await turn();
  await broker.last.cut();
  await cut;
  await assert.rejects(client.ping(), { code: "UNAVAILABLE" });
  await client.disconnect();
});
