import assert from "node:assert/strict";
import { test } from "node:test";

import { behind, cursorOf, parseCursor } from "../../src/protocol/cursor.js";
import { vectors } from "./vectors.js";

const { valid, invalid } = vectors("cursors");

test("cursors are read and written as they are", () => {
  assert.ok(valid.length >= 8);
  for (const { text, epoch, seq } of valid) {
    assert.deepEqual(parseCursor(text), { epoch, seq });
    assert.equal(cursorOf(epoch, seq), text);
  }
});

test("what is no cursor is refused", () => {
  assert.ok(invalid.length >= 29);
  for (const { text } of invalid) {
    assert.throws(() => parseCursor(text), { code: "INVALID_MESSAGE", field: "cursor" }, text);
  }
});

test("who stands at an event has had it, and not the next one", () => {
  assert.equal(behind("e:7", 7), false);
  assert.equal(behind("e:7", 8), true);
  assert.equal(behind("e:0", 1), true);
});
