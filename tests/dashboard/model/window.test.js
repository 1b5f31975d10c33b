import assert from "node:assert/strict";
import { test } from "node:test";

import { windowOf } from "../../../broker/dashboard/model/window.js";

const ITEMS = [..."abcde"];

test("a window is the rows that were asked for, and says where it begins", () => {
  assert.deepEqual(windowOf(ITEMS, { offset: 1, limit: 2 }), { total: 5, offset: 1, items: ["b", "c"] });
});

test("a window behind the end is the last full one", () => {
  assert.deepEqual(windowOf(ITEMS, { offset: 9, limit: 2 }), { total: 5, offset: 3, items: ["d", "e"] });
});

test("of a short list all is shown", () => {
  assert.deepEqual(windowOf(ITEMS, { offset: 3, limit: 9 }), { total: 5, offset: 0, items: ITEMS });
  assert.deepEqual(windowOf([], { offset: 3, limit: 9 }), { total: 0, offset: 0, items: [] });
});
