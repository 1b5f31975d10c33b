import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "../../../broker/dashboard/model/pace.js";
import { TopicTree } from "../../../broker/dashboard/model/topictree.js";
import { Values } from "../../../broker/dashboard/model/values.js";
import { event } from "./events.js";

/** @param {number} [most] */
function tree(most) {
  /** @type {string[]} */
  const taken = [];
  const sinkOf = (/** @type {string} */ topic) =>
    topic.startsWith("agent.") ? { take: (/** @type {{topic: string}} */ { topic: of }) => void taken.push(of) } : null;
  return { taken, tree: new TopicTree(new Pace(0), new Values(), sinkOf, most) };
}

test("an event counts on its topic and on all paths above, with those it stands for", () => {
  const { tree: topics } = tree();
  topics.take(event("a.b.c", 1, { skipped: 4 }), 5);
  topics.take(event("a.b", 2), 1);
  assert.deepEqual(["a", "a.b", "a.b.c"].map((path) => topics.at(path)?.count), [6, 6, 5]);
  assert.deepEqual(["a", "a.b"].map((path) => topics.at(path)?.isTopic), [false, true]);
  assert.equal(topics.size, 2);
});

test("an event that was taken before is not taken again", () => {
  const { tree: topics } = tree();
  const first = event("a.b", 1);
  assert.equal(topics.take(first, 1), true);
  assert.equal(topics.take(first, 1), false);
  assert.equal(topics.at("a.b")?.count, 1);
});

test("an ephemeral event is always news", () => {
  const { tree: topics } = tree();
  assert.ok(topics.take(event("a", 1, { seq: null }), 1));
  assert.ok(topics.take(event("a", 2, { seq: null }), 1));
  assert.equal(topics.at("a")?.data, 2);
});

test("a cleared topic goes, and the paths above that lead nowhere else", () => {
  const { tree: topics, taken } = tree();
  topics.take(event("agent.x.status", 1), 1);
  topics.take(event("agent.y.status", 1), 1);
  topics.take(event("agent.x.status", 2, { clear: true }), 1);
  assert.equal(topics.at("agent.x"), undefined);
  assert.deepEqual(topics.at("agent")?.kids.map(({ name }) => name), ["y"]);
  assert.equal(taken.length, 3, "who takes the topic's events takes this one too");
  assert.equal(topics.at("agent")?.count, 3);
});

test("a cleared topic that others are below stays as a path", () => {
  const { tree: topics } = tree();
  topics.take(event("a", 1), 1);
  topics.take(event("a.b", 1), 1);
  topics.take(event("a", 2, { clear: true }), 1);
  assert.equal(topics.at("a")?.isTopic, false);
  assert.equal(topics.at("a")?.size, 1);
});

test("of too many topics those go that were silent for longest", () => {
  const { tree: topics } = tree(100);
  for (let number = 0; number < 100; number += 1) topics.take(event(`t.${number}`, 1), 1);
  topics.take(event("t.0", 2), 1);
  topics.take(event("t.100", 1), 1);
  assert.equal(topics.size, 96);
  assert.equal(topics.dropped, 5);
  assert.equal(topics.at("t.0")?.isTopic, true);
  assert.equal(topics.at("t.1"), undefined);
  assert.equal(topics.at("t.5"), undefined);
  assert.equal(topics.at("t.6")?.isTopic, true);
});

test("thousands below one path are in order, whoever came and went", () => {
  const { tree: topics } = tree();
  const take = (/** @type {number} */ number, clear = false) =>
    topics.take(event(`flat.n${number}`, 1, { clear }), 1);
  for (let number = 0; number < 5000; number += 1) take((number * 7919) % 5000);
  const names = () => topics.at("flat")?.kids.map(({ name }) => name);
  assert.equal(names()?.length, 5000);
  for (let number = 0; number < 5000; number += 3) take(number, true);
  for (let number = 4998; number >= 0; number -= 6) take(number);
  const all = Array.from({ length: 5000 }, (_, number) => number);
  const wanted = all.filter((number) => number % 3 !== 0 || number % 6 === 0);
  assert.deepEqual(names(), wanted.map((number) => `n${number}`).sort());
});

test("what comes and goes where nobody looks leaves nothing behind", () => {
  const { tree: topics } = tree(100);
  for (let number = 0; number < 20000; number += 1) topics.take(event(`flat.n${number}`), 1);
  const kids = topics.at("flat")?.kids.map(({ name }) => name) ?? [];
  assert.equal(kids.length, topics.size);
  assert.ok(kids.includes("n19999"));
});
