import assert from "node:assert/strict";
import { test } from "node:test";

import { CutValue, PREVIEW, jsonOf, previewOf } from "../../../broker/dashboard/model/jsontext.js";
import { Model } from "../../../broker/dashboard/model/model.js";
import { Kept, Values } from "../../../broker/dashboard/model/values.js";
import { event } from "./events.js";

/** @param {number} characters */
function text(characters) {
  return { text: "x".repeat(characters) };
}

/** @param {Values} values @param {unknown[]} data */
function places(values, ...data) {
  return data.map((each) => {
    const place = new Kept();
    values.keep(place, each);
    return place;
  });
}

/** @param {Kept} place */
function isCut({ data }) {
  return data instanceof CutValue;
}

test("what fits is kept as it is", () => {
  const values = new Values(10000);
  const [a, b] = places(values, text(1000), text(2000));
  assert.deepEqual([a.data, b.data], [text(1000), text(2000)]);
  assert.ok(values.weight > 3000 && values.weight < 3500, `${values.weight}`);
});

test("beyond what all may weigh the largest keep only a preview, the smaller ones all", () => {
  const values = new Values(20000);
  const kept = places(values, text(9000), text(1000), text(8500), text(2500));
  assert.deepEqual(kept.map(isCut), [true, false, false, false]);
  assert.ok(values.weight <= 20000);
});

test("of values of one size the oldest is cut first, and one that is replaced is as new", () => {
  const values = new Values(10000);
  const [a, b, c] = places(values, text(3000), text(3000), text(3000));
  values.keep(a, text(3001));
  const [d] = places(values, text(3000));
  assert.deepEqual([a, b, c, d].map(isCut), [false, true, false, false]);
});

test("a value that was cut still says how it begins and how long it was", () => {
  const values = new Values(1000);
  const [place] = places(values, text(5000));
  const { text: shown, isCut: cut, bytes } = jsonOf(place.data, 65536);
  assert.deepEqual([shown.slice(0, 12), cut, bytes], ['{"text":"xxx', true, JSON.stringify(text(5000)).length]);
  assert.ok(shown.length <= PREVIEW + 1);
  assert.equal(previewOf(place.data), previewOf(text(5000)));
});

test("what is forgotten weighs nothing", () => {
  const values = new Values(10000);
  const [a, b] = places(values, text(5000), "small");
  values.forget(a);
  values.forget(b);
  values.forget(b);
  assert.deepEqual([values.weight, a.data], [0, undefined]);
});

test("a single value that is too heavy keeps its beginning", () => {
  const values = new Values();
  const [place] = places(values, text(300000));
  assert.ok(isCut(place) && values.weight <= 65536, `${values.weight}`);
});

test("whatever comes, they weigh no more than they may", () => {
  const values = new Values(50000);
  const all = places(values, ...Array.from({ length: 20 }, () => null));
  for (let turn = 0; turn < 2000; turn += 1) {
    values.keep(all[(turn * 7) % 20], text((turn * 7919) % 30000));
    assert.ok(values.weight <= 50000);
  }
  assert.equal(values.weight, all.reduce((sum, { weight }) => sum + weight, 0));
});

test("topics, agents and tasks share what may be kept, and the topic's panel says what was cut", () => {
  const model = new Model(0, { values: 30000, agents: 10 });
  model.take(event("big.value", text(15000)), true);
  model.take(event("agent.a.status", { status: "idle", metadata: text(9000) }), true);
  model.take(event("task.t.completed", { result: text(9000) }), true);
  const { json, isCut: cut, bytes } = model.list.topic({ path: "big.value" }, 0);
  assert.deepEqual([cut, bytes, json?.length], [true, 15011, PREVIEW + 1]);
  const { rows } = model.list.topics({ open: ["big"], offset: 0, limit: 9 }, 0);
  assert.equal(rows[2].preview?.length, PREVIEW);
  const { detail } = model.tasks.slice({ offset: 0, limit: 1, selected: "t" }, 0);
  assert.match(detail?.result ?? "", /^\{"text":"x+/);
});

test("what is cleared or dropped gives its weight back", () => {
  const model = new Model(0, { values: 30000, agents: 2, topics: 2 });
  for (let turn = 0; turn < 50; turn += 1) {
    model.take(event(`agent.a${turn}.status`, { status: "offline", metadata: text(4000) }), true);
  }
  model.take(event("last.one", text(9000)), true);
  assert.equal(model.list.topic({ path: "last.one" }, 0).isCut, false);
});

test("headers are kept within the same weight, and those that do not fit say how they begin", () => {
  const model = new Model(0, { values: 3000 });
  const told = (/** @type {string} */ path) => model.list.topic({ path }, 0).headers;
  model.take(event("a.b", 1, { headers: { trace: "1" } }), true);
  model.take(event("a.c", 1, { headers: { long: "x".repeat(4000) } }), true);
  assert.deepEqual(told("a.b"), { trace: "1" });
  assert.match(told("a.c")?.["(cut)"] ?? "", /^\{"long":"x+…$/);
  model.take(event("a.c", 2), true);
  assert.deepEqual(told("a.c"), {});
});
