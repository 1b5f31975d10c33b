import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { Event, Gap, Live } from "../src/events.js";
import { event, FakeBroker, heard, seqs, take } from "./fakebroker.js";
import { codes, turn } from "./rig.js";

async function connected(options) {
  const broker = new FakeBroker();
  return { broker, client: await broker.connect(options) };
}

test("an event carries all that the broker said", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a.*");
  broker.last.say(event("a.b", 3, { data: { x: [1] }, headers: { h: "1" }, clear: true, ts: 9 }));
  const [found] = await take(events, 1);
  assert.ok(found instanceof Event);
  const { topic, data, seq, ts, sender, headers, skipped, clear, cursor, ephemeral } = found;
  assert.deepEqual(
    { topic, data, seq, ts, sender, headers, skipped, clear, cursor, ephemeral },
    {
      topic: "a.b",
      data: { x: [1] },
      seq: 3,
      ts: 9,
      sender: "bob",
      headers: { h: "1" },
      skipped: 0,
      clear: true,
      cursor: "e1:3",
      ephemeral: false,
    },
  );
  await client.disconnect();
});

test("what is subscribed before there is a connection is asked for with it", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const events = client.subscribe("a");
  await client.start();
  assert.equal(await events.ready, events);
  broker.last.say(event("a", 1));
  assert.deepEqual(await seqs(events, 1), [1]);
  await client.disconnect();
});

test("a pattern or an option that is none is refused at once", async () => {
  const { broker, client } = await connected();
  assert.throws(() => client.subscribe("a..b"), { code: "INVALID_TOPIC" });
  assert.throws(() => client.subscribe("a", { buffer: 0 }), { code: "INVALID_MESSAGE", field: "buffer" });
  assert.throws(() => client.subscribe("a", { from: "then" }), { code: "INVALID_MESSAGE", field: "from" });
  assert.throws(() => client.subscribe("a", { conflate_ms: 5 }), { field: "conflate_ms" });
  assert.deepEqual(broker.last.asked, []);
  await client.disconnect();
});

test("an event is consumed when the next is asked for", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  assert.equal(events.cursor, "e1:0");
  broker.last.say(event("a", 1), event("a", 2));
  await events.next();
  assert.equal(events.cursor, "e1:0");
  await events.next();
  assert.equal(events.cursor, "e1:1");
  events.commit();
  assert.equal(events.cursor, "e1:2");
  await client.disconnect();
});

test("a position moves the cursor of who waits", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  const next = events.next();
  broker.last.say({ type: "position", cursor: "e1:12" });
  assert.equal(events.cursor, "e1:12");
  events.close();
  assert.deepEqual(await next, { done: true, value: undefined });
  await client.disconnect();
});

test("gaps and the mark of what is live stand in their places where they are wanted", async () => {
  const { broker, client } = await connected();
  const all = client.subscribe("a", { from: "start", gaps: true, live: true });
  const plain = client.subscribe("a", { from: "start" });
  for (const sub of broker.last.names("a")) {
    const gap = { type: "gap", sub, from: "e1:0", to: "e1:3", reason: "evicted" };
    broker.last.say(gap, event("a", 4, { sub }), { type: "live", sub, cursor: "e1:4" });
  }
  broker.last.say(event("a", 5));
  const items = await take(all, 4);
  assert.deepEqual(items.map((item) => item.constructor), [Gap, Event, Live, Event]);
  assert.equal(items[2].cursor, "e1:4");
  assert.deepEqual(await seqs(plain, 2), [4, 5]);
  await client.disconnect();
});

test("the mark of what is live comes once over reconnects, and at once where nothing is past", async () => {
  const { broker, client } = await connected();
  const items = client.subscribe("a", { live: true });
  assert.ok((await take(items, 1))[0] instanceof Live);
  await broker.last.cut();
  await broker.advance(500);
  const [sub] = broker.last.names("a");
  broker.last.say({ type: "live", sub, cursor: "e1:0" }, event("a", 1));
  assert.deepEqual(await seqs(items, 1), [1]);
  await client.disconnect();
});

test("leaving the loop closes the subscription", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.last.say(event("a", 1));
  for await (const each of events) {
    assert.equal(each.seq, 1);
    break;
  }
  assert.ok(events.closed);
  assert.deepEqual(broker.last.of("unsubscribe")[0].subs, broker.last.names("a"));
  await client.disconnect();
});

test("closing ends a loop that waits, and is harmless twice", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  const waiting = [events.next(), events.next()];
  events.close();
  events.close();
  assert.deepEqual(await Promise.all(waiting), Array(2).fill({ done: true, value: undefined }));
  assert.equal(broker.last.of("unsubscribe").length, 1);
  await client.disconnect();
});

test("closing one of two of a pattern leaves the other", async () => {
  const { broker, client } = await connected();
  const [first, second] = [client.subscribe("a"), client.subscribe("a")];
  first.close();
  broker.last.say(event("a", 1));
  assert.deepEqual(await seqs(second, 1), [1]);
  await client.disconnect();
});

test("what waits is given up by closing", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  broker.last.say(event("a", 1));
  events.close();
  assert.ok((await events.next()).done);
  await client.disconnect();
});

test("a subscription closed before its answer is not ready", async () => {
  const { broker, client } = await connected();
  broker.acks = false;
  const events = client.subscribe("a");
  events.close();
  await assert.rejects(events.ready, { code: "UNAVAILABLE" });
  const [{ id, subscriptions }] = broker.last.of("subscribe");
  broker.last.accept({ id, subscriptions });
  broker.last.say(event("a", 1));
  assert.ok((await events.next()).done);
  await client.disconnect();
});

test("an aborted signal closes the subscription", async () => {
  const { client } = await connected();
  const controller = new AbortController();
  const events = client.subscribe("a", { signal: controller.signal });
  const next = events.next();
  controller.abort();
  assert.ok((await next).done);
  assert.throws(() => client.subscribe("a", { signal: controller.signal }), { name: "AbortError" });
  await client.disconnect();
});

test("one signal ends many subscriptions by one listener, and the last takes it along", async () => {
  const { client } = await connected();
  const { signal } = new AbortController();
  const all = Array.from({ length: 20 }, () => client.subscribe("a", { signal }));
  assert.equal(getEventListeners(signal, "abort").length, 1);
  for (const each of all) each.close();
  assert.equal(getEventListeners(signal, "abort").length, 0);
  await client.disconnect();
});

test("two who wait at once get one event each, in order", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  const both = Promise.all([events.next(), events.next()]);
  broker.last.say(event("a", 1), event("a", 2));
  assert.deepEqual((await both).map(({ value }) => value.seq), [1, 2]);
  const [first, second] = [events.next(), events.next()];
  broker.last.say(event("a", 3));
  assert.equal((await first).value.seq, 3);
  broker.last.say(event("a", 4));
  assert.equal((await second).value.seq, 4);
  await client.disconnect();
});

test("iterators end with the client", async () => {
  const { broker, client } = await connected();
  const events = client.subscribe("a");
  const next = events.next();
  await client.disconnect();
  assert.ok((await next).done);
  assert.ok((await events.next()).done);
  assert.ok(events.closed);
  const asked = [client.publish("a", 1), client.call("m"), client.ping()];
  assert.deepEqual(await codes(...asked), Array(3).fill("UNAVAILABLE"));
  assert.equal(broker.connections.length, 1);
});

// ---- Handlers of events

test("a handler is called with one event after the other", async () => {
  const { broker, client } = await connected();
  const seen = [];
  let go;
  const stop = client.on("a", async ({ seq }) => {
    seen.push(seq);
    if (seq === 1) await new Promise((resolve) => (go = resolve));
  });
  await stop.ready;
  broker.last.say(event("a", 1), event("a", 2));
  await turn();
  assert.deepEqual(seen, [1]);
  go();
  await turn();
  assert.deepEqual(seen, [1, 2]);
  stop();
  stop();
  broker.last.say(event("a", 3));
  await turn();
  assert.deepEqual(seen, [1, 2]);
  await client.disconnect();
});

test("what a handler throws is reported, and it gets the next event", async () => {
  const { broker, client } = await connected();
  const told = heard(client, "error");
  const seen = [];
  client.on("a", ({ seq }) => {
    seen.push(seq);
    throw new Error(`not ${seq}`);
  });
  broker.last.say(event("a", 1), event("a", 2));
  await turn();
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(told.map(([, error]) => error.message), ["not 1", "not 2"]);
  await client.disconnect();
});

test("what is no function handles no events, and nothing is asked for", async () => {
  const { broker, client } = await connected();
  assert.throws(() => client.on("a"), { code: "INVALID_MESSAGE", field: "handler" });
  assert.deepEqual(broker.last.asked, []);
  await client.disconnect();
});

test("a refused handler is reported", async () => {
  const { broker, client } = await connected();
  const told = heard(client, "error");
  broker.acks = false;
  client.on("a", () => {});
  const [{ id }] = broker.last.of("subscribe");
  broker.last.say({ type: "error", id, code: "PERMISSION_DENIED", message: "No." });
  await turn();
  assert.equal(told[0][1].code, "PERMISSION_DENIED");
  await client.disconnect();
});
