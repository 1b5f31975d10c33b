import assert from "node:assert/strict";
import { test } from "node:test";

import { Buffer, BUFFER_CHARS } from "../src/buffer.js";
import { Event, Gap, Live } from "../src/events.js";
import { event } from "./fakebroker.js";

/** The event with this seq; null: an ephemeral one. */
function item(seq) {
  return new Event(event("a", seq), "e1");
}

function all(buffer) {
  const items = [];
  while (!buffer.idle) items.push(buffer.take());
  return items;
}

test("what comes is taken in its order", async () => {
  const buffer = new Buffer(10);
  for (const seq of [1, 2, 3]) buffer.put(item(seq));
  assert.ok(await buffer.wait());
  assert.deepEqual(all(buffer).map(({ seq }) => seq), [1, 2, 3]);
});

test("it is full at its limit, and half empty at half of it", () => {
  const buffer = new Buffer(4);
  for (const seq of [1, 2, 3]) buffer.put(item(seq));
  assert.deepEqual([buffer.full, buffer.halfEmpty], [false, false]);
  buffer.put(item(4));
  assert.deepEqual([buffer.full, buffer.halfEmpty], [true, false]);
  buffer.take();
  buffer.take();
  assert.deepEqual([buffer.full, buffer.halfEmpty], [false, true]);
});

test("it is full of many characters, and takes one event of any size", () => {
  const buffer = new Buffer(10);
  assert.equal(buffer.full, false);
  buffer.put(item(1), BUFFER_CHARS);
  assert.deepEqual([buffer.full, buffer.halfEmpty], [true, false]);
  buffer.take();
  assert.deepEqual([buffer.full, buffer.halfEmpty], [false, true]);
});

test("the mark of what is live takes no room and is not dropped", () => {
  const buffer = new Buffer(2);
  buffer.put(new Live("e1:0", "a"));
  buffer.put(item(1));
  assert.equal(buffer.full, false);
  buffer.put(item(2));
  buffer.dropOldest("a");
  const [gap, live, second] = all(buffer);
  assert.equal(gap.end, "e1:1");
  assert.ok(live instanceof Live);
  assert.equal(second.seq, 2);
});

test("adjacent losses are one gap with their exact number, and ephemeral ones are owed to nobody", () => {
  const buffer = new Buffer(5);
  for (const seq of [3, null, 7, 9]) buffer.put(item(seq));
  for (let count = 0; count < 3; count += 1) buffer.dropOldest("a");
  const [gap, left] = all(buffer);
  assert.deepEqual({ ...gap }, { start: "e1:2", end: "e1:7", reason: "overflow", pattern: "a", dropped: 2 });
  assert.equal(left.seq, 9);
});

test("dropping never hides that the log is another", () => {
  const buffer = new Buffer(3);
  buffer.put(item(1));
  buffer.put(new Gap("e1:1", "e2:0", "epoch", "a"));
  buffer.put(new Event(event("a", 1), "e2"));
  for (let count = 0; count < 3; count += 1) buffer.dropOldest("a");
  const [gap] = all(buffer);
  assert.deepEqual({ ...gap }, { start: "e1:0", end: "e2:1", reason: "epoch", pattern: "a", dropped: null });
});

test("an end by intent leaves nothing, and one by an error what had come", async () => {
  const meant = new Buffer(3);
  meant.put(item(1));
  meant.end();
  assert.equal(await meant.wait(), false);

  const failed = new Buffer(3);
  failed.put(item(1));
  failed.end(new Error("lost"));
  failed.end(new Error("later"));
  assert.ok(await failed.wait());
  failed.take();
  await assert.rejects(failed.wait(), { message: "lost" });
  failed.end();
  assert.equal(await failed.wait(), false);
});

test("thousands that come and go keep their order", () => {
  const buffer = new Buffer(10_000);
  const seen = [];
  for (let seq = 1; seq <= 9000; seq += 1) {
    buffer.put(item(seq));
    if (seq % 3 !== 0) seen.push(buffer.take().seq);
  }
  seen.push(...all(buffer).map(({ seq }) => seq));
  assert.deepEqual(seen, Array.from({ length: 9000 }, (_, place) => place + 1));
});
