import assert from "node:assert/strict";
import { test } from "node:test";

import { HealthRing } from "../../../broker/dashboard/model/healthring.js";
import { Ring } from "../../../broker/dashboard/model/ring.js";

test("a ring holds the last so many, oldest first", () => {
  const ring = new Ring(3);
  for (const item of [1, 2]) ring.push(item);
  assert.deepEqual(ring.slice(), [1, 2]);
  for (const item of [3, 4, 5]) ring.push(item);
  assert.deepEqual(ring.slice(), [3, 4, 5]);
  assert.deepEqual(ring.slice(1, 2), [4]);
  assert.deepEqual(ring.slice(-5, 2), [3, 4]);
  assert.equal(ring.last, 5);
  ring.replace(6);
  assert.deepEqual(ring.slice(), [3, 4, 6]);
});

test("health is kept in columns, 200 reports of it", () => {
  const ring = new HealthRing();
  for (let index = 0; index < 450; index += 1) ring.push(index * 1000, index % 2 ? index : null, 7, index % 3 === 0);
  const { t, cpu, memory, healthy } = ring.columns();
  assert.deepEqual([t.length, t[0], t[199]], [200, 250, 449]);
  assert.deepEqual(cpu.slice(0, 2), [null, 251]);
  assert.equal(memory[5], 7);
  assert.deepEqual(healthy.slice(0, 3), [false, false, true]);
});
