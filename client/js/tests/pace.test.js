import assert from "node:assert/strict";
import { test } from "node:test";
import { IN_FLIGHT, Pace } from "../src/pace.js";
import { FakeClock } from "./rig.js";

function paced() {
  const clock = new FakeClock();
  const gone = [];
  return { clock, gone, pace: new Pace(clock, () => gone.push(clock.now())) };
}

/** How many may be unanswered at once. */
function width(pace) {
  let unanswered = 0;
  while (pace.admits(unanswered)) unanswered += 1;
  return unanswered;
}

test("so many may be unanswered, and never more", () => {
  const { pace } = paced();
  pace.widen();
  assert.equal(width(pace), IN_FLIGHT);
});

test("nothing is written during a hold, and it goes on once when that is over", () => {
  const { clock, gone, pace } = paced();
  const begin = clock.now();
  pace.hold(50);
  assert.equal(width(pace), 0);
  clock.advance(1000);
  assert.deepEqual(gone, [begin + 50]);
  assert.equal(width(pace), IN_FLIGHT);
});

test("of two holds the longer counts, whichever came first", () => {
  for (const holds of [[50, 80], [80, 50]]) {
    const { clock, gone, pace } = paced();
    const begin = clock.now();
    for (const ms of holds) pace.hold(ms);
    clock.advance(1000);
    assert.deepEqual(gone, [begin + 80]);
    assert.equal(clock.pending, 0);
  }
});

test("however short a hold is, the broker gets a breath", () => {
  const { clock, gone, pace } = paced();
  pace.hold(0);
  assert.equal(width(pace), 0);
  clock.advance(10);
  assert.equal(gone.length, 1);
});

test("a broker that has enough gets half as many once for all its refusals together", () => {
  const { clock, pace } = paced();
  for (let refused = 0; refused < 100; refused += 1) pace.narrow(50);
  clock.advance(50);
  assert.equal(width(pace), IN_FLIGHT / 2);
  pace.widen();
  assert.equal(width(pace), IN_FLIGHT / 2 + 1);
});

test("it never narrows to nothing, and begins anew with a new connection", () => {
  const { clock, pace } = paced();
  for (let refused = 0; refused < 20; refused += 1) {
    pace.narrow(50);
    clock.advance(50);
  }
  assert.equal(width(pace), 16);
  pace.narrow(50);
  pace.reset();
  assert.equal(width(pace), IN_FLIGHT);
  assert.equal(clock.pending, 0);
});
