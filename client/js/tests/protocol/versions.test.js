import assert from "node:assert/strict";
import { test } from "node:test";

import { VERSIONS, compareVersions, parseVersion, selectVersion } from "../../src/protocol/versions.js";
import { vectors } from "./vectors.js";

const { parsing, order, selection } = vectors("versions");

test("versions are read as numbers", () => {
  assert.ok(parsing.length >= 33);
  for (const { text, numbers } of parsing) {
    if (numbers === null) {
      assert.throws(() => parseVersion(text), { code: "INVALID_MESSAGE" }, text);
    } else {
      assert.deepEqual(parseVersion(text), numbers, text);
    }
  }
});

test("versions are compared number by number", () => {
  assert.ok(order.length >= 8);
  for (const { lower, higher } of order) {
    assert.ok(compareVersions(lower, higher) < 0, `${lower} < ${higher}`);
    assert.ok(compareVersions(higher, lower) > 0, `${higher} > ${lower}`);
    assert.equal(compareVersions(lower, `${lower}.0`), 0);
  }
});

test("the highest version that both sides know is selected", () => {
  assert.ok(selection.length >= 20);
  for (const { offered, known, selected } of selection) {
    assert.equal(selectVersion(offered, known), selected, JSON.stringify({ offered, known }));
  }
});

test("this SDK selects its own version from what a broker offers", () => {
  assert.equal(selectVersion(["2", "1.0"]), "1");
  assert.equal(selectVersion(["2"]), null);
  assert.deepEqual(VERSIONS, ["1"]);
});
