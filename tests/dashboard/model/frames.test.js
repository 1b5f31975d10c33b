import assert from "node:assert/strict";
import { test } from "node:test";

import { Frames } from "../../../broker/dashboard/model/frames.js";
import { HandClock } from "./events.js";

function frames() {
  const clock = new HandClock();
  /** @type {string[][]} */
  const told = [];
  const revisions = { status: 0, topic: 0 };
  let built = 0;
  const sections = /** @type {any} */ ({
    status: { revision: () => revisions.status, build: () => ((built += 1), {}) },
    topic: { revision: () => revisions.topic, build: () => ((built += 1), {}) },
  });
  const answer = (/** @type {object} */ slices) => void told.push(Object.keys(slices));
  return { clock, told, revisions, frames: new Frames(sections, answer, clock), built: () => built };
}

test("what is asked for the first time, or in other words, is told at once", () => {
  const { frames: asked, told } = frames();
  asked.ask({ status: {}, topic: { path: "a" } });
  asked.ask({ status: {}, topic: { path: "b" } });
  assert.deepEqual(told, [["status", "topic"], ["topic"]]);
});

test("only what has changed is told, ten times a second at most", () => {
  const { frames: asked, told, revisions, clock } = frames();
  asked.ask({ status: {}, topic: { path: "a" } });
  revisions.topic += 1;
  asked.ask({ status: {}, topic: { path: "a" } });
  clock.pass(99);
  assert.equal(told.length, 1);
  clock.pass(51);
  assert.deepEqual(told[1], ["topic"]);
});

test("where nothing is new the answer comes after a quarter of a second, and is empty", () => {
  const { frames: asked, told, clock, built } = frames();
  asked.ask({ status: {} });
  asked.ask({ status: {} });
  clock.pass(249);
  assert.equal(told.length, 1);
  clock.pass(1);
  assert.deepEqual([told[1], built()], [[], 1]);
});

test("each question has one answer, and a later one takes the place of one that waits", () => {
  const { frames: asked, told, clock } = frames();
  asked.ask({ status: {} });
  for (let turn = 0; turn < 5; turn += 1) asked.ask({ status: {} });
  clock.pass(10000);
  assert.equal(told.length, 2);
});

test("what was not wanted for a while is told anew", () => {
  const { frames: asked, told } = frames();
  asked.ask({ status: {} });
  asked.ask({ topic: { path: "a" } });
  asked.ask({ status: {} });
  assert.deepEqual(told, [["status"], ["topic"], ["status"]]);
});

test("a slice that there is not is left out", () => {
  const { frames: asked, told, clock } = frames();
  asked.ask(/** @type {any} */ ({ toString: {}, weather: {} }));
  clock.pass(250);
  assert.deepEqual(told, [[]]);
});

test("a page that asks no more looks at nothing", () => {
  const { frames: asked, clock } = frames();
  asked.ask({ status: {}, topic: { path: "a" } });
  assert.deepEqual([asked.query("topic"), asked.query("tail")], [{ path: "a" }, undefined]);
  clock.pass(3001);
  assert.equal(asked.query("topic"), undefined);
});

test("when closed nothing is told any more, and no timer is left", () => {
  const { frames: asked, told, clock } = frames();
  asked.ask({ status: {} });
  asked.ask({ status: {} });
  asked.close();
  assert.equal(clock.timers, 0);
  clock.pass(1000);
  assert.equal(told.length, 1);
});
