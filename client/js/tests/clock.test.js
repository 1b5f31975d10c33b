import assert from "node:assert/strict";
import { test } from "node:test";

import { clock } from "../src/clock.js";

test("a wait longer than any timer of the platform is made of several", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const fired = t.mock.fn();
  clock.after(2 ** 31 + 10, fired);
  t.mock.timers.tick(2 ** 31 - 1);
  assert.equal(fired.mock.callCount(), 0);
  t.mock.timers.tick(10);
  assert.equal(fired.mock.callCount(), 0);
  t.mock.timers.tick(1);
  assert.equal(fired.mock.callCount(), 1);
});

test("a wait that was taken back, or that never ends, fires never", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const fired = t.mock.fn();
  clock.after(5, fired)();
  clock.after(Infinity, fired)();
  clock.after(Infinity, fired);
  t.mock.timers.tick(2 ** 31);
  assert.equal(fired.mock.callCount(), 0);
});

test("who waits has a turn before what is to be soon", async () => {
  const order = [];
  const soon = new Promise((resolve) => clock.soon(() => resolve(order.push("soon"))));
  for (let turn = 0; turn < 50; turn += 1) await null;
  order.push("waiter");
  await soon;
  assert.deepEqual(order, ["waiter", "soon"]);
});

test("time does not go back", () => {
  const first = clock.now();
  assert.ok(clock.now() >= first);
  assert.ok(Math.abs(clock.date() - Date.now()) < 10_000);
});
