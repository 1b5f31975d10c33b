import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_ROWS, scrollTo, stepOf, windowOf } from "../../../broker/dashboard/parts/window.js";

const VIEW = { height: 600, rowHeight: 30 };

test("a list begins with its first rows, and more than are seen", () => {
  const { offset, limit } = windowOf({ ...VIEW, scrollTop: 0, total: 5000 });
  assert.equal(offset, 0);
  assert.ok(limit > 600 / 30 && limit <= MOST_ROWS, String(limit));
});

test("wherever one scrolls, all rows in sight are in the window, which is never too large", () => {
  for (const height of [100, 333, 600, 1100]) {
    for (const total of [1, 7, 21, 400, 5001]) {
      const end = Math.max(0, total * 30 - height);
      for (let scrollTop = 0; scrollTop <= end; scrollTop += 17) {
        const { offset, limit } = windowOf({ scrollTop, height, rowHeight: 30, total });
        const first = Math.floor(scrollTop / 30);
        const last = Math.min(total - 1, Math.ceil((scrollTop + height) / 30) - 1);
        assert.ok(limit <= MOST_ROWS);
        assert.ok(offset <= first && last < offset + limit, `${height} ${total} ${scrollTop}: ${offset} ${limit}`);
      }
    }
  }
});

test("a window taller than the most rows is filled from where it begins", () => {
  const { offset, limit } = windowOf({ scrollTop: 3000, height: 9000, rowHeight: 30, total: 5000 });
  assert.equal(limit, MOST_ROWS);
  assert.equal(offset, 100);
});

test("a scroll of a few pixels asks nothing new", () => {
  const windows = [3000, 3005, 3020].map((scrollTop) => windowOf({ ...VIEW, scrollTop, total: 5000 }));
  assert.deepEqual(windows[1], windows[0]);
  assert.deepEqual(windows[2], windows[0]);
});

test("a list that has become shorter than the scroll is shown from its end", () => {
  const { offset, limit } = windowOf({ ...VIEW, scrollTop: 90000, total: 10 });
  assert.ok(offset < 10 && offset + limit >= 10);
});

test("an overscroll above the top shows the top", () => {
  assert.equal(windowOf({ ...VIEW, scrollTop: -80, total: 100 }).offset, 0);
});

test("arrows, pages and ends lead to their rows and not beyond", () => {
  const steps = [
    ["ArrowDown", 3, 4],
    ["ArrowDown", 99, 99],
    ["ArrowUp", 3, 2],
    ["ArrowUp", 0, 0],
    ["PageDown", 3, 23],
    ["PageDown", 95, 99],
    ["PageUp", 30, 10],
    ["PageUp", 3, 0],
    ["Home", 50, 0],
    ["End", 50, 99],
  ];
  for (const [key, from, to] of steps) assert.equal(stepOf(String(key), Number(from), 100, 20), to, `${key} from ${from}`);
});

test("other keys lead nowhere, and in an empty list none does", () => {
  for (const key of ["a", "Enter", "toString", "ArrowLeft"]) assert.equal(stepOf(key, 3, 100, 20), null);
  assert.equal(stepOf("ArrowDown", 0, 0, 20), null);
});

test("a row out of sight is scrolled to by the shortest way", () => {
  assert.equal(scrollTo(0, { ...VIEW, scrollTop: 300 }), 0);
  assert.equal(scrollTo(9, { ...VIEW, scrollTop: 300 }), 270);
  assert.equal(scrollTo(30, { ...VIEW, scrollTop: 300 }), 330);
});

test("a row in sight is left where it is", () => {
  for (const index of [10, 20, 29]) assert.equal(scrollTo(index, { ...VIEW, scrollTop: 300 }), 300);
});
