import assert from "node:assert/strict";
import { test } from "node:test";

import { Roll } from "../../../broker/dashboard/model/roll.js";

/** @param {number} most @param {{id: string}[]} gone */
function roll(most, gone) {
  return new Roll((id) => ({ id, tsMs: 0, hasEnded: false }), most, (entry) => gone.push(entry));
}

test("where there are too many, those that ended go first, longest ago first", () => {
  /** @type {{id: string}[]} */
  const gone = [];
  const all = roll(4, gone);
  for (const [id, tsMs, hasEnded] of /** @type {const} */ ([["a", 1, false], ["b", 4, true], ["c", 3, true], ["d", 2, false]])) {
    Object.assign(all.of(id), { tsMs, hasEnded });
  }
  for (const id of ["e", "f", "g"]) Object.assign(all.of(id), { tsMs: 9 });
  assert.deepEqual(gone.map(({ id }) => id), ["c", "b", "a"]);
  assert.deepEqual([all.size, all.dropped], [4, 3]);
});

test("an entry is made once", () => {
  const all = roll(4, []);
  assert.equal(all.of("a"), all.of("a"));
  assert.equal(all.get("b"), undefined);
});
