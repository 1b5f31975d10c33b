import assert from "node:assert/strict";
import { test } from "node:test";

import { OrderedList } from "../../../broker/dashboard/model/orderedlist.js";

/** @typedef {{name: string, size: number|null}} Thing */

function things() {
  /** @type {Thing[]} */
  const items = [{ name: "b", size: 2 }, { name: "a", size: null }, { name: "c", size: 1 }];
  let looks = 0;
  /** @type {OrderedList<Thing>} */
  const list = new OrderedList(() => ((looks += 1), items), { name: (item) => item.name, size: (item) => item.size });
  const names = (/** @type {string} */ sort, revision = 0, now = 0) =>
    list.order(sort, "", () => true, revision, now).map(({ name }) => name).join("");
  return { items, list, names, looks: () => looks };
}

test("items are sorted by a column in both directions, what has no value last", () => {
  const { names } = things();
  assert.equal(names("name"), "abc");
  assert.equal(names("-name"), "cba");
  assert.equal(names("size"), "cba");
  assert.equal(names("-size"), "bca");
  assert.equal(names("toString"), "abc");
});

test("an order is worked out twice a second at most while items change", () => {
  const { names, looks, items, list } = things();
  names("name", 1, 0);
  items.push({ name: "0", size: 0 });
  assert.equal(names("name", 2, 499), "abc");
  assert.deepEqual([looks(), list.isBehind], [1, true]);
  assert.equal(names("name", 2, 500), "0abc");
  assert.equal(list.isBehind, false);
  assert.equal(names("name", 2, 9000), "0abc");
  assert.equal(looks(), 2);
});

test("another filter is another list at once", () => {
  const { list } = things();
  assert.equal(list.order("name", "x", () => false, 0, 0).length, 0);
  assert.equal(list.order("name", "y", () => true, 0, 0).length, 3);
});
