import assert from "node:assert/strict";
import { test } from "node:test";
import { OfflineQueue } from "../src/offlinequeue.js";

const entry = (name) => ({ name, before: null, behind: null, queue: null });
const names = (queue) => [...queue].map(({ name }) => name);

function filled(...given) {
  const queue = new OfflineQueue();
  const entries = given.map(entry);
  for (const each of entries) queue.push(each);
  return { queue, entries };
}

test("what was put in first comes out first, and from the other end last", () => {
  const { queue } = filled("a", "b", "c");
  assert.equal(queue.shift().name, "a");
  assert.equal(queue.pop().name, "c");
  assert.equal(queue.shift().name, "b");
  assert.equal(queue.shift(), null);
  assert.equal(queue.pop(), null);
  assert.equal(queue.size, 0);
});

test("one is taken out of any place, and only once", () => {
  for (const [place, left] of [[0, "bc"], [1, "ac"], [2, "ab"]]) {
    const { queue, entries } = filled("a", "b", "c");
    assert.equal(queue.remove(entries[place]), true);
    assert.equal(queue.remove(entries[place]), false);
    assert.deepEqual(names(queue), [...left]);
    assert.equal(queue.size, 2);
  }
});

test("one of another queue is not taken out", () => {
  const { queue } = filled("a");
  const other = filled("b");
  assert.equal(queue.remove(other.entries[0]), false);
  assert.equal(other.queue.size, 1);
});

test("a queue that was cleared is as good as new", () => {
  const { queue, entries } = filled("a", "b");
  assert.deepEqual(queue.clear(), entries);
  queue.push(entries[1]);
  queue.push(entries[0]);
  assert.deepEqual(names(queue), ["b", "a"]);
});
