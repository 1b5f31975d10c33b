import assert from "node:assert/strict";
import { test } from "node:test";

import { Stream } from "../../../broker/dashboard/model/stream.js";
import { HandClock, event, settled } from "./events.js";
import { FakeClient } from "./fakeclient.js";

const EPOCH_GAP = { start: "e1:5", end: "e2:0", reason: "epoch", dropped: null };

/** @param {string[]} patterns @param {HandClock} [clock] */
function streamOf(patterns = ["#"], clock = new HandClock()) {
  const client = new FakeClient("", {});
  /** @type {any[]} */
  const told = [];
  const hooks = {
    take: (/** @type {any} */ { topic }, /** @type {boolean} */ isNew) => void told.push(isNew ? topic : `(${topic})`),
    gap: (/** @type {any} */ { reason }) => void told.push(`gap ${reason}`),
    missed: (/** @type {number} */ count) => void told.push(`missed ${count}`),
    live: () => void told.push("live"),
    anew: () => void told.push("anew"),
    failed: (/** @type {any} */ fault) => void told.push(`failed ${fault.message}`),
  };
  const stream = new Stream(client, { patterns, from: "latest", options: { conflateMs: 500 } }, hooks, clock);
  stream.start();
  return { client, told, stream };
}

test("what comes before the mark is of the past, what comes behind it is new", async () => {
  const { client, told, stream } = streamOf();
  client.reading("#").push(event("a"), { cursor: "e1:1" }, event("b"));
  await settled();
  assert.deepEqual(told, ["(a)", "live", "b"]);
  assert.equal(stream.isLive, true);
  assert.deepEqual(client.reading("#").options, { conflateMs: 500, from: "latest", gaps: true, live: true });
});

test("what is newer than the welcome is new, though the past is not complete yet", async () => {
  const { client, told } = streamOf();
  client.reading("#").push(event("a"), event("b", 1, { seq: 1000001 }), event("c", 1, { seq: null }));
  await settled();
  assert.deepEqual(told, ["(a)", "b", "c"]);
});

test("a busy broker is asked for the last values rather than for its log", async () => {
  const { client, stream } = streamOf();
  client.reading("#").push({ cursor: "e1:1" }, event("a"));
  await settled();
  stream.retune({ conflateMs: 2000 }, true);
  await settled();
  assert.equal(client.reading("#").options.from, "latest");
});

test("a new log empties the model, and is read from its last values", async () => {
  const { client, told } = streamOf();
  client.reading("#").push({ cursor: "e1:1" }, event("a"), EPOCH_GAP, event("never"));
  await settled();
  assert.deepEqual(told, ["live", "a", "gap epoch", "anew"]);
  assert.equal(client.readings.length, 2);
  assert.equal(client.reading("#").options.from, "latest");
  client.reading("#").push(event("b"));
  await settled();
  assert.equal(told.at(-1), "(b)");
});

test("of several patterns that meet the same new log only the first empties the model", async () => {
  const { client, told } = streamOf(["a.#", "b.#"]);
  client.reading("a.#").push(EPOCH_GAP);
  await settled();
  client.reading("a.#").push(event("a.x"));
  client.reading("b.#").push(EPOCH_GAP);
  await settled();
  assert.deepEqual(told, ["gap epoch", "anew", "(a.x)", "gap epoch"]);
});

test("any other gap is told, and the stream goes on", async () => {
  const { client, told } = streamOf();
  client.reading("#").push({ ...EPOCH_GAP, reason: "evicted" }, event("a"));
  await settled();
  assert.deepEqual(told, ["gap evicted", "(a)"]);
  assert.equal(client.readings.length, 1);
});

test("with another tempo it goes on from where it stands", async () => {
  const { client, told, stream } = streamOf();
  const last = event("a");
  client.reading("#").push({ cursor: "e1:1" }, last);
  await settled();
  stream.retune({ conflateMs: 2000 }, false);
  await settled();
  assert.deepEqual(client.reading("#").options, { conflateMs: 2000, from: { cursor: `e1:${last.seq}` }, gaps: true, live: true });
  client.reading("#").push(event("b"));
  await settled();
  assert.deepEqual(told, ["live", "a", "b"]);
});

test("a burst is taken in slices, so that other work has its turns", async () => {
  const clock = new HandClock();
  let turns = 0;
  clock.soon = (fn) => ((turns += 1), setImmediate(fn));
  const { client, told } = streamOf(["#"], clock);
  clock.now = () => (clock.ms += 20);
  client.reading("#").push(...Array.from({ length: 320 }, () => event("a")));
  await settled();
  while (told.length < 320) await settled();
  assert.ok(turns > 0);
});

test("a pattern that is refused is told, and the others are read on", async () => {
  const { client, told } = streamOf(["a.#", "b.#"]);
  client.reading("a.#").fail(new Error("denied"));
  await settled();
  client.reading("b.#").push(event("b.x"));
  await settled();
  assert.deepEqual(told, ["failed denied", "(b.x)"]);
});

test("a closed stream tells nothing and opens nothing", async () => {
  const { client, told, stream } = streamOf();
  stream.close();
  stream.close();
  client.reading("#").push(event("a"));
  await settled();
  assert.deepEqual([told, client.readings.length, stream.isLive], [[], 1, false]);
});

test("what was published while another tempo was agreed on is told as missed, by the numbers of the events", async () => {
  const { client, told, stream } = streamOf();
  const at = (/** @type {number} */ seq, skipped = 0) => event(`t.${seq}`, 1, { seq, skipped });
  client.reading("#").push({ cursor: "e1:10" }, at(20));
  await settled();
  stream.retune({ conflateMs: 2000 }, true);
  await settled();
  client.reading("#").push(at(40), at(50, 5), { cursor: "e1:60" }, at(70, 9));
  await settled();
  // Of the 40 from 20 to 60 these 7 are told.
  assert.deepEqual(told, ["live", "t.20", "(t.40)", "(t.50)", "missed 33", "live", "t.70"]);
});

test("who reads some patterns cannot tell what was missed", async () => {
  const { client, told, stream } = streamOf(["a.#"]);
  client.reading("a.#").push({ cursor: "e1:10" });
  await settled();
  stream.retune({ conflateMs: 2000 }, true);
  await settled();
  client.reading("a.#").push({ cursor: "e1:60" });
  await settled();
  assert.deepEqual(told, ["live", "live"]);
});

test("a new log is read from its beginning, and nothing of it was missed", async () => {
  const { client, told, stream } = streamOf();
  client.reading("#").push({ cursor: "e1:10" }, event("t", 1, { seq: 20 }));
  await settled();
  stream.retune({ conflateMs: 2000 }, true);
  await settled();
  client.reading("#").push(EPOCH_GAP);
  await settled();
  client.reading("#").push({ cursor: "e2:500" });
  await settled();
  assert.deepEqual(told, ["live", "t", "gap epoch", "anew", "live"].map((word) => (word === "t" ? told[1] : word)));
});
