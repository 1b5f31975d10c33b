import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "../../../broker/dashboard/model/pace.js";
import { TopicList } from "../../../broker/dashboard/model/topiclist.js";
import { TopicTree } from "../../../broker/dashboard/model/topictree.js";
import { Values } from "../../../broker/dashboard/model/values.js";
import { event } from "./events.js";

/** @param {string[]} topics */
function listOf(...topics) {
  const pace = new Pace(0);
  const tree = new TopicTree(pace, new Values(), () => null);
  for (const topic of topics) tree.take(event(topic, { at: topic }), 1);
  const list = new TopicList(tree, pace);
  const paths = (/** @type {object} */ query, now = 0) =>
    list.topics({ open: [], offset: 0, limit: 50, ...query }, now).rows.map(({ path }) => path);
  return { tree, list, paths };
}

test("only what is open is shown, by name", () => {
  const { paths } = listOf("b.y", "a.x", "b.x.z");
  assert.deepEqual(paths({}), ["a", "b"]);
  assert.deepEqual(paths({ open: ["b"] }), ["a", "b", "b.x", "b.y"]);
  assert.deepEqual(paths({ open: ["b.x"] }), ["a", "b"], "what is open below a closed row is not");
});

test("a window of the rows is told, with how many there are", () => {
  const { list } = listOf("a.1", "a.2", "a.3");
  const { total, topics, offset, rows } = list.topics({ open: ["a"], offset: 1, limit: 2 }, 0);
  assert.deepEqual([total, topics, offset, rows.map(({ path }) => path)], [4, 3, 1, ["a.1", "a.2"]]);
  assert.equal(list.topics({ open: ["a"], offset: 100, limit: 2 }, 0).offset, 2);
});

test("a row says what passes below and what was last said on its path", () => {
  const { list } = listOf("a.1", "a.2");
  const [above, below] = list.topics({ open: ["a"], offset: 0, limit: 9 }, 1000).rows;
  assert.deepEqual([above.isTopic, above.kids, above.isOpen, above.count, above.rate, above.preview], [false, 2, true, 2, 2, null]);
  assert.deepEqual([below.isTopic, below.name, below.depth, below.preview], [true, "1", 1, '{"at":"a.1"}']);
});

test("a filter finds topics by a part, and shows the way to them", () => {
  const { paths } = listOf("agent.a1.status", "agent.a2.status", "task.t1.created");
  assert.deepEqual(paths({ filter: "a2" }), ["agent", "agent.a2", "agent.a2.status"]);
  assert.deepEqual(paths({ filter: "nowhere" }), []);
});

test("a filter with wildcards is a pattern", () => {
  const { paths } = listOf("agent.a1.status", "agent.a1", "task.t1.status");
  assert.deepEqual(paths({ filter: "*.*" }), ["agent", "agent.a1"]);
  assert.deepEqual(paths({ filter: "task.#" }), ["task", "task.t1", "task.t1.status"]);
  assert.deepEqual(paths({ filter: "*..x" }), [], "half a pattern matches nothing yet");
});

test("topics that come and go are seen half a second later at the latest", () => {
  const { tree, paths } = listOf("a");
  assert.deepEqual(paths({}, 0), ["a"]);
  tree.take(event("b"), 1);
  assert.deepEqual(paths({}, 499), ["a"]);
  assert.deepEqual(paths({}, 500), ["a", "b"]);
});

test("the last event of a topic is told in full, and its absence too", () => {
  const { list } = listOf("a.b");
  const told = list.topic({ path: "a.b" }, 1000);
  assert.deepEqual([told.topic, told.json, told.isCut, told.bytes, told.from, told.count], ["a.b", '{"at":"a.b"}', false, 12, "alice", 1]);
  assert.deepEqual([list.topic({ path: "a" }, 0).json, list.topic({ path: "no.where" }, 0).count], [null, 0]);
  assert.equal(list.topic({ path: null }, 0).topic, null);
});
