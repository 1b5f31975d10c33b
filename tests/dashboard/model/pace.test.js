import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace, makeCounter } from "../../../broker/dashboard/model/pace.js";

test("a steady stream has its rate, however coarse the ticks it comes in", () => {
  const pace = new Pace(0);
  const counter = makeCounter();
  let now = 0;
  for (let tick = 0; tick < 40; tick += 1) {
    now += 500;
    pace.turn(now);
    pace.count(counter, 50);
  }
  const rate = (pace.rate(counter, now) + pace.rate(counter, now + 499)) / 2;
  assert.ok(Math.abs(rate - 100) < 15, `${rate}`);
});

test("what has ended fades, and is nothing two generations later", () => {
  const pace = new Pace(0);
  const counter = makeCounter();
  pace.count(counter, 3000);
  pace.turn(3000);
  assert.equal(pace.rate(counter, 3000), 1000);
  pace.turn(6000);
  assert.equal(pace.rate(counter, 6000), 0);
});

test("the first event of all is no storm", () => {
  const pace = new Pace(0);
  const counter = makeCounter();
  pace.count(counter, 1);
  assert.equal(pace.rate(counter, 1), 1);
});

test("between two ticks a rate stands still, and behind the time of one it fades", () => {
  const pace = new Pace(0);
  pace.fit(2000);
  const counter = makeCounter();
  for (let now = 250; now <= 20000; now += 250) {
    if (now % 2000 === 0) pace.count(counter, 2000);
    pace.turn(now);
  }
  for (const later of [0, 500, 1000, 1999]) assert.equal(pace.rate(counter, 20000 + later), 1000);
  assert.ok(pace.rate(counter, 26000) < 800);
});
