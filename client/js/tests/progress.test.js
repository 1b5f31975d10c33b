import assert from "node:assert/strict";
import { test } from "node:test";

import { event, FakeBroker, seqs, take } from "./fakebroker.js";
import { turn } from "./rig.js";

/** A storage as pages have it. */
class FakeStorage {
  items = new Map();
  broken = false;

  getItem(key) {
    return this.items.get(key) ?? null;
  }

  setItem(key, value) {
    if (this.broken) throw new Error("full");
    this.items.set(key, value);
  }

  /** The place kept under a key. */
  place(key) {
    const { cursor, snapshot } = JSON.parse(this.items.get(`swarmwire:${key}`));
    return snapshot ? [cursor, "snapshot"] : cursor;
  }
}

/** A page: a client with a subscription that goes on where the last one ended. */
async function page(storage, options = {}) {
  const broker = new FakeBroker();
  const client = await broker.connect({ resumeStorage: storage });
  const open = () => client.subscribe("a", { resume: "k", ...options });
  return { broker, client, events: open(), open };
}

test("a page that is loaded again goes on behind what it had consumed", async () => {
  const storage = new FakeStorage();
  const first = await page(storage, { from: "start" });
  assert.equal(first.broker.last.asked[0].from, "start");
  const [sub] = first.broker.last.names("a");
  first.broker.last.say(event("a", 1, { sub }), event("a", 2, { sub }), event("a", 3, { sub }));
  await seqs(first.events, 2);
  assert.equal(storage.place("k"), "e1:1");
  await first.client.disconnect();

  const second = await page(storage, { from: "start" });
  assert.deepEqual(second.broker.last.asked[0].from, { cursor: "e1:1" });
  await second.client.disconnect();
});

test("what is committed is consumed", async () => {
  const storage = new FakeStorage();
  const { broker, client, events } = await page(storage);
  broker.last.say(event("a", 1));
  await take(events, 1);
  events.commit();
  assert.equal(storage.place("k"), "e1:1");
  await client.disconnect();
});

test("a loop that is left has not consumed its last event", async () => {
  const storage = new FakeStorage();
  const { broker, client, events, open } = await page(storage);
  broker.last.say(event("a", 1), event("a", 2));
  for await (const { seq } of events) if (seq === 2) break;
  assert.equal(storage.place("k"), "e1:1");
  open(); // nobody has the key any more
  assert.deepEqual(broker.last.asked[1].from, { cursor: "e1:1" });
  await client.disconnect();
});

test("closing in the middle of an event consumes it only when the loop goes on", async () => {
  const storage = new FakeStorage();
  const { broker, client, events } = await page(storage);
  broker.last.say(event("a", 1));
  for await (const { seq } of events) {
    events.close();
    assert.equal(storage.place("k"), "e1:0");
    assert.equal(seq, 1);
  }
  assert.equal(storage.place("k"), "e1:1");
  await client.disconnect();
});

test("positions are kept while nothing waits to be read", async () => {
  const storage = new FakeStorage();
  const { broker, client, events } = await page(storage);
  const next = events.next();
  await turn();
  broker.last.say({ type: "position", cursor: "e1:30" });
  assert.equal(storage.place("k"), "e1:30");
  broker.last.say(event("a", 31), { type: "position", cursor: "e1:40" });
  await next;
  assert.equal(storage.place("k"), "e1:30");
  await client.disconnect();
});

test("a snapshot that was not complete is asked for as a whole, and known events are left out", async () => {
  const storage = new FakeStorage();
  const first = await page(storage, { from: "latest" });
  let [sub] = first.broker.last.names("a");
  first.broker.last.say(event("a", 1, { sub }), event("a", 2, { sub }));
  await take(first.events, 2);
  assert.deepEqual(storage.place("k"), ["e1:1", "snapshot"]);
  await first.client.disconnect();

  const second = await page(storage, { from: "latest" });
  assert.equal(second.broker.last.asked[0].from, "latest");
  [sub] = second.broker.last.names("a");
  second.broker.last.say(event("a", 1, { sub }), event("a", 2, { sub }));
  second.broker.last.say({ type: "live", sub, cursor: "e1:4" });
  assert.deepEqual(await seqs(second.events, 1), [2]);
  const next = second.events.next();
  await turn();
  assert.equal(storage.place("k"), "e1:4");
  await second.client.disconnect();
  assert.ok((await next).done);
});

test("a key belongs to one subscription at a time", async () => {
  const { client, events, open } = await page(new FakeStorage());
  assert.throws(open, { code: "CONFLICT", field: "resume" });
  events.close();
  open();
  await client.disconnect();
});

test("a key belongs to its pattern and mode", async () => {
  const { client, events, open } = await page(new FakeStorage());
  await events.return();
  assert.throws(() => client.subscribe("b", { resume: "k" }), { code: "CONFLICT" });
  assert.throws(() => client.subscribe("a", { resume: "k", mode: "drop_oldest" }), { code: "CONFLICT" });
  assert.throws(() => client.subscribe("a", { resume: "k", conflateMs: 5 }), { code: "CONFLICT" });
  open();
  await client.disconnect();
});

test("a damaged place never begins at now", async () => {
  for (const text of ["", "{}", "null", '{"pattern":"a","mode":"all","cursor":"x"}']) {
    const storage = new FakeStorage();
    storage.setItem("swarmwire:k", text);
    await assert.rejects(page(storage), { code: "INVALID_MESSAGE", field: "resume" });
  }
});

test("a storage that cannot be written stops the loop", async () => {
  const storage = new FakeStorage();
  const { broker, client, events } = await page(storage);
  client.listen("error", () => {});
  broker.last.say(event("a", 1));
  await take(events, 1);
  storage.broken = true;
  await assert.rejects(events.next(), { code: "UNAVAILABLE", field: "resume" });
  await client.disconnect();
});

test("where there is no storage, that is said", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect();
  const kept = globalThis.sessionStorage;
  assert.equal(kept, undefined);
  assert.throws(() => client.subscribe("a", { resume: "k" }), { code: "UNAVAILABLE", field: "resume" });
  await client.disconnect();
});

test("the end of the client lets go of the key", async () => {
  const storage = new FakeStorage();
  const first = await page(storage);
  const next = first.events.next();
  await first.client.disconnect();
  assert.ok((await next).done);
  const second = await page(storage);
  await second.client.disconnect();
});
