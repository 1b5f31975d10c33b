import assert from "node:assert/strict";
import { test } from "node:test";

import { matcher } from "../../../broker/sdk/protocol/topics.js";
import { Pace } from "../../../broker/dashboard/model/pace.js";
import { search } from "../../../broker/dashboard/model/topicsearch.js";
import { TopicTree } from "../../../broker/dashboard/model/topictree.js";
import { Values } from "../../../broker/dashboard/model/values.js";
import { randomNumbers } from "../randomnumbers.js";
import { event } from "./events.js";

/** @param {Iterable<string>} topics */
function treeOf(topics) {
  const tree = new TopicTree(new Pace(0), new Values(), () => null);
  for (const topic of topics) tree.take(event(topic), 1);
  let mark = 0;
  const found = (/** @type {string} */ filter) => {
    search(tree, filter, (mark += 1));
    return [...tree.topics].filter((node) => node.mark === mark).map(({ path }) => path);
  };
  return { tree, found, marked: (/** @type {string} */ path) => tree.at(path)?.mark === mark };
}

test("a pattern finds what the protocol says it matches, and the way there", () => {
  const random = randomNumbers(7);
  const any = (/** @type {readonly string[]} */ of) => of[Math.floor(random() * of.length)];
  const some = (/** @type {readonly string[]} */ of) =>
    Array.from({ length: 1 + Math.floor(random() * 5) }, () => any(of)).join(".");
  const topics = new Set(Array.from({ length: 400 }, () => some(["a", "b", "c", "$x"])));
  const { found, marked } = treeOf(topics);
  for (let turn = 0; turn < 400; turn += 1) {
    const pattern = `${some(["a", "b", "*", "#", "$x"])}.#`;
    // Paths above what is found are marked as well: those are no finds of the pattern themselves.
    const wanted = [...topics].filter(matcher(pattern));
    const got = new Set(found(pattern));
    assert.deepEqual(wanted.filter((topic) => !got.has(topic)), [], pattern);
    const leads = (/** @type {string} */ path) => wanted.some((topic) => `${topic}.`.startsWith(`${path}.`));
    assert.deepEqual([...got].filter((path) => !leads(path)), [], pattern);
    for (const topic of wanted) assert.ok(marked(topic.split(".")[0]), pattern);
  }
});

test("a text finds the topics that it is a part of", () => {
  assert.deepEqual(treeOf(["a.one", "b.two", "c.one.more"]).found("one"), ["a.one", "c.one.more"]);
});

test("half a pattern finds nothing yet, nor does one of more segments than topics have", () => {
  const { found } = treeOf(["a.b"]);
  assert.deepEqual([found("*..b"), found(`${"*.".repeat(40)}b`)], [[], []]);
  assert.deepEqual(found(`${"#.".repeat(20)}b`), ["a.b"], "many that stand for nothing are as one");
});
