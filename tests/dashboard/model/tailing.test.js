import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Tailing } from "../../../broker/dashboard/model/tailing.js";
import { HandClock, event, settled } from "./events.js";
import { FakeClient } from "./fakeclient.js";

function tailing() {
  const client = new FakeClient("", {});
  const tail = new Tailing(new HandClock());
  tail.start(client);
  /** @type {import("../../../broker/dashboard/model/slices.js").TailQuery} */
  const query = { pattern: "#", paused: false, mode: "conflated", jump: null, limit: 50 };
  const slice = (/** @type {object} */ more = {}) => tail.slice({ ...query, ...more }, "e1:99");
  const topics = (/** @type {object} */ more = {}) =>
    slice(more).rows.map((row) => (row.gap === null ? row.topic : `gap ${row.gap}`));
  return { client, tail, slice, topics };
}

const GAP = { start: "e1:1", end: "e1:5", reason: "overflow", dropped: 4 };

test("the conflated tail shows what the stream of everything brings and the pattern matches", () => {
  const { tail, topics, slice } = tailing();
  topics({ pattern: "a.*" });
  tail.take(event("a.b", { x: 1 }, { skipped: 3 }));
  tail.take(event("b.a"));
  tail.takeGap(GAP);
  assert.deepEqual(topics({ pattern: "a.*" }), ["a.b", "gap overflow"]);
  const [row] = slice({ pattern: "a.*" }).rows;
  assert.ok(row.gap === null);
  assert.deepEqual([row.preview, row.json, row.skipped, row.from], ['{"x":1}', '{"x":1}', 3, "alice"]);
  assert.equal(slice({ pattern: "a.*" }).position, "e1:99");
});

test("nothing is kept before somebody looks, nor when nobody does any more", () => {
  const { tail, topics } = tailing();
  tail.take(event("a"));
  assert.deepEqual(topics(), []);
  tail.take(event("b"));
  tail.rest();
  tail.take(event("c"));
  assert.deepEqual(topics(), []);
});

test("while it is paused nothing moves, what comes is counted, and is there when it goes on", () => {
  const { tail, topics, slice } = tailing();
  topics();
  tail.take(event("a"));
  topics({ paused: true });
  tail.take(event("b"));
  assert.deepEqual([topics({ paused: true }), slice({ paused: true }).held], [["a"], 1]);
  slice();
  tail.take(event("c"));
  assert.deepEqual([topics(), slice().held], [["a", "b", "c"], 0]);
});

test("what was missed while it was paused is told where it was missed, when it goes on", () => {
  const { tail, topics, slice } = tailing();
  topics();
  tail.take(event("a"));
  topics({ paused: true });
  tail.take(event("b"));
  tail.takeGap(GAP);
  assert.deepEqual(topics({ paused: true }), ["a"]);
  slice();
  tail.take(event("c"));
  assert.deepEqual(topics(), ["a", "b", "gap overflow", "c"]);
  const gap = slice().rows[2];
  assert.deepEqual(gap.gap !== null && [gap.from, gap.to, gap.dropped], ["e1:1", "e1:5", 4]);
});

test("of a log that is gone no row stays, though it is paused", () => {
  const { tail, topics, slice } = tailing();
  topics();
  tail.take(event("old"));
  topics({ paused: true });
  tail.takeGap({ start: "e1:9", end: "e2:0", reason: "epoch", dropped: null });
  assert.deepEqual([topics({ paused: true }), slice({ paused: true }).held], [["gap epoch"], 0]);
});

test("of what is too heavy a row keeps no more than is shown", async () => {
  const { tail, slice } = tailing();
  slice();
  const takeHeavy = () => {
    const data = { text: "x".repeat(1000000) };
    tail.take(event("t", data));
    return new WeakRef(data);
  };
  const kept = takeHeavy();
  await settled();
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  assert.deepEqual([kept.deref(), slice().rows.length], [undefined, 1]);
});

test("who scrolls back sees older rows, a thousand of them", () => {
  const { tail, slice } = tailing();
  slice();
  for (let number = 0; number < 1500; number += 1) tail.take(event(`t.${number}`));
  const { total, rows } = slice({ offset: 100, limit: 2 });
  assert.deepEqual([total, rows.map((row) => row.gap === null && row.topic)], [1000, ["t.1398", "t.1399"]]);
  assert.equal(new Set(slice({ limit: 1000 }).rows.map(({ key }) => key)).size, 1000);
});

test("rows beyond half a megabyte of data come with their previews", () => {
  const { tail, slice } = tailing();
  slice();
  for (let number = 0; number < 50; number += 1) tail.take(event("t", "x".repeat(30000)));
  const rows = slice().rows;
  assert.ok(rows.every((row) => row.gap === null && row.isCut && row.json.length <= 16384 && row.preview.length === 200));
  assert.ok(JSON.stringify(rows).length < 600000);
});

test("a pattern that is none is told", () => {
  const { slice, client } = tailing();
  assert.equal(slice({ pattern: "a..b", mode: "every" }).error?.code, "INVALID_TOPIC");
  assert.equal(client.readings.length, 0);
  assert.equal(slice({ pattern: "a.b" }).error, null);
});

test("every event is shown by a subscription of its own, that ends with the look", async () => {
  const { client, tail, topics } = tailing();
  topics({ pattern: "a.#", mode: "every" });
  const reading = client.reading("a.#");
  assert.deepEqual([reading.options.mode, reading.options.from], ["drop_oldest", "now"]);
  tail.take(event("a.conflated"));
  reading.push(event("a.b"), GAP);
  await settled();
  assert.deepEqual(topics({ pattern: "a.#", mode: "every" }), ["a.b", "gap overflow"]);
  tail.rest();
  assert.equal(reading.closed, true);
});

test("a jump shows a page of the log, and where the pages around it begin", async () => {
  const { client, slice, topics } = tailing();
  const jump = { jump: "e1:300" };
  assert.equal(slice(jump).loading, true);
  const reading = client.reading("#");
  assert.deepEqual(reading.options.from, { cursor: "e1:300" });
  reading.push(...Array.from({ length: 250 }, (_, index) => event("t", index, { seq: 301 + index })));
  await settled();
  const told = slice({ ...jump, limit: 500 });
  assert.deepEqual([told.total, told.loading, told.more, told.newer, told.older], [200, false, true, "e1:500", "e1:100"]);
  assert.equal(topics({ jump: null }).length, 0, "back to what is live");
});

test("a jump near the head reaches it, and one to the beginning has none before", async () => {
  const { client, slice } = tailing();
  slice({ jump: "e1:0" });
  client.reading("#").push(event("t", 1), { cursor: "e1:1" });
  await settled();
  const told = slice({ jump: "e1:0" });
  assert.deepEqual([told.rows.length, told.more, told.newer, told.older], [1, false, null, null]);
});

test("a jump to what is no cursor, and one that is refused, are told", async () => {
  const { client, slice } = tailing();
  slice({ jump: "nonsense" });
  await settled();
  assert.equal(slice({ jump: "nonsense" }).error?.code, "INVALID_MESSAGE");
  slice({ jump: "e1:1" });
  client.reading("#").fail(Object.assign(new Error("No."), { code: "PERMISSION_DENIED" }));
  await settled();
  assert.deepEqual([slice({ jump: "e1:1" }).error?.code, slice({ jump: "e1:1" }).loading], ["PERMISSION_DENIED", false]);
});
