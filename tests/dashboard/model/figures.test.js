import assert from "node:assert/strict";
import { test } from "node:test";

import { Figures } from "../../../broker/dashboard/model/figures.js";

/** @param {number} timestamp @param {number} publishes @param {number|null} [p99] */
function answer(timestamp, publishes, p99 = null) {
  return {
    timestamp,
    counters: { publishes, deliveries: 2 * publishes, errors: 0 },
    gauges: { connections: 3 },
    publish_latency_ms: { p50: null, p99 },
  };
}

test("counters become what they rise a second between two answers", () => {
  const figures = new Figures();
  assert.equal(figures.series, null);
  figures.take(answer(10000, 100));
  figures.take(answer(12000, 300, 2.5));
  const series = figures.series;
  assert.deepEqual(series?.t, [10, 12]);
  assert.deepEqual(series?.publishes, [null, 100]);
  assert.deepEqual(series?.deliveries, [null, 200]);
  assert.deepEqual([series?.p99, series?.connections, series?.errors], [[null, 2.5], [3, 3], [null, 0]]);
});

test("a broker that started anew is a break in the curve", () => {
  const figures = new Figures();
  figures.take(answer(10000, 500));
  figures.take(answer(11000, 20));
  assert.deepEqual(figures.series?.publishes, [null, null]);
});

test("a quarter of an hour is kept", () => {
  const figures = new Figures();
  for (let second = 0; second < 2000; second += 1) figures.take(answer(second * 1000, second));
  assert.deepEqual([figures.series?.t.length, figures.series?.t[0], figures.series?.publishes.length], [900, 1100, 900]);
});

test("an answer of another shape changes nothing", () => {
  const figures = new Figures();
  for (const odd of [null, 7, {}, { timestamp: "x" }]) figures.take(odd);
  figures.take({ timestamp: 1000 });
  assert.deepEqual(figures.series?.publishes, [null]);
});
