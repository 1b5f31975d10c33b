import assert from "node:assert/strict";
import { test } from "node:test";

import { Poll } from "../../../broker/dashboard/model/poll.js";
import { HandClock, settled } from "./events.js";

/** @param {() => Promise<unknown>} ask */
function poll(ask) {
  const clock = new HandClock();
  /** @type {unknown[]} */
  const taken = [];
  const state = { wanted: true, asked: 0 };
  const counted = () => ((state.asked += 1), ask());
  const made = new Poll({ ask: counted, take: (answer) => void taken.push(answer), everyMs: 1000, isWanted: () => state.wanted }, clock);
  return { poll: made, clock, taken, state };
}

/** @param {string} code */
function refusal(code) {
  return Object.assign(new Error("No."), { code });
}

test("it asks at once and then again and again", async () => {
  const { poll: asked, clock, taken } = poll(async () => 7);
  asked.start();
  await settled();
  clock.pass(1000);
  await settled();
  assert.deepEqual(taken, [7, 7]);
});

test("it asks nothing while nobody wants it, and at once when somebody begins to", async () => {
  const { poll: asked, clock, state, taken } = poll(async () => 7);
  state.wanted = false;
  asked.start();
  await settled();
  clock.pass(5000);
  await settled();
  assert.equal(state.asked, 0);
  state.wanted = true;
  asked.hurry();
  await settled();
  assert.equal(taken.length, 1);
});

test("what fails is asked again", async () => {
  const answers = [Promise.reject(refusal("UNAVAILABLE")), Promise.reject(refusal("TIMEOUT")), Promise.resolve(7)];
  for (const answer of answers) answer.catch(() => {});
  const { poll: asked, clock, taken } = poll(() => answers.shift() ?? Promise.resolve(8));
  asked.start();
  for (let turn = 0; turn < 3; turn += 1) {
    await settled();
    clock.pass(1000);
  }
  await settled();
  assert.deepEqual(taken, [7, 8]);
});

test("what is not permitted is told, and asked again only after the next login", async () => {
  const { poll: asked, clock, state } = poll(() => Promise.reject(refusal("PERMISSION_DENIED")));
  asked.start();
  await settled();
  clock.pass(9000);
  await settled();
  assert.deepEqual([asked.denied, state.asked, clock.timers], ["No.", 1, 0]);
  asked.start();
  assert.equal(asked.denied, null);
  await settled();
  assert.equal(state.asked, 2);
});

test("an answer that comes after the end is not taken", async () => {
  let answer = (/** @type {unknown} */ _) => {};
  const { poll: asked, clock, taken } = poll(() => new Promise((resolve) => (answer = resolve)));
  asked.start();
  asked.stop();
  answer(7);
  await settled();
  assert.deepEqual([taken, clock.timers], [[], 0]);
});
