import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../src/backoff.js";

test("delays double up to the cap, and attempts are counted", () => {
  const backoff = new Backoff(500, 3000, () => 1);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => backoff.next()), [500, 1000, 2000, 3000, 3000]);
  assert.equal(backoff.attempt, 5);
  backoff.reset();
  assert.equal(backoff.attempt, 0);
  assert.equal(backoff.next(), 500);
});

test("each is drawn from between half and all of itself", () => {
  assert.equal(new Backoff(500, 3000, () => 0).next(), 250);
  const backoff = new Backoff(100, 100);
  for (let count = 0; count < 200; count += 1) {
    const delay = backoff.next();
    assert.ok(delay >= 50 && delay <= 100);
  }
});

test("no delay at all stays none, and many attempts overflow nothing", () => {
  const none = new Backoff(0, 0);
  assert.equal(none.next(), 0);
  const backoff = new Backoff(1, 20_000, () => 1);
  for (let count = 0; count < 2000; count += 1) backoff.next();
  assert.equal(backoff.next(), 20_000);
});
