import assert from "node:assert/strict";
import { test } from "node:test";

import { spansOf, timesOf } from "../../../broker/dashboard/parts/stripspans.js";

/** @param {[number, string][]} changes */
function changes(...changes) {
  return changes.map(([tsMs, status]) => ({ tsMs, status }));
}

test("without a change there is no span", () => {
  assert.deepEqual(spansOf([], 1000), []);
});

test("each state holds until the next one, and the last until now", () => {
  const spans = spansOf(changes([1000, "idle"], [2000, "busy"], [4000, "idle"]), 5000);
  assert.deepEqual(spans.map(({ status, fromMs, toMs }) => [status, fromMs, toMs]), [
    ["idle", 1000, 2000],
    ["busy", 2000, 4000],
    ["idle", 4000, 5000],
  ]);
  assert.deepEqual(spans.map(({ start, width }) => [start, width]), [[0, 0.25], [0.25, 0.5], [0.75, 0.25]]);
});

test("the same state told again is one span", () => {
  const spans = spansOf(changes([0, "idle"], [10, "idle"], [20, "busy"], [30, "busy"]), 40);
  assert.deepEqual(spans.map(({ status }) => status), ["idle", "busy"]);
});

test("spans stay inside the strip and can be seen, whatever the clocks say", () => {
  const cases = [
    [changes([5000, "idle"]), 1000],
    [changes([5000, "idle"], [4000, "busy"]), 6000],
    [changes([0, "idle"], [999_999, "busy"]), 1_000_000],
    [changes([7, "idle"], [7, "busy"]), 7],
  ];
  for (const [told, now] of cases) {
    for (const { start, width } of spansOf(/** @type {ReturnType<typeof changes>} */ (told), Number(now))) {
      assert.ok(start >= 0 && width > 0 && start + width <= 1 + 1e-9, `${start} ${width}`);
    }
  }
});

test("times are summed by state, the longest first", () => {
  const spans = spansOf(changes([0, "idle"], [10, "busy"], [40, "idle"], [45, "error"]), 50);
  assert.deepEqual(timesOf(spans), [{ status: "busy", ms: 30 }, { status: "idle", ms: 15 }, { status: "error", ms: 5 }]);
});
