import assert from "node:assert/strict";
import { test } from "node:test";

import { askFor, goingOn, isShared } from "../src/ask.js";

test("where a subscription begins is put into the words of the wire", () => {
  const begins = [undefined, "now", "start", "latest", { cursor: "e1:7" }, { last: 0 }, { sinceMs: 5 }];
  assert.deepEqual(
    begins.map((from) => askFor("a.#", { from }).start),
    ["now", "now", "start", "latest", { cursor: "e1:7" }, { last: 0 }, { since_ms: 5 }],
  );
});

test("a beginning that is none is refused", () => {
  const words = ["then", 7, null, {}];
  const places = [{ cursor: "x" }, { cursor: 3 }, { last: -1 }, { last: 1.5 }, { last: 5n }];
  const strange = [{ since_ms: 1 }, { toString: 1 }, { last: 1, sinceMs: 2 }];
  for (const from of [...words, ...places, ...strange]) {
    assert.throws(() => askFor("a", { from }), { code: "INVALID_MESSAGE", field: /^(from|cursor)$/ });
  }
});

test("modes are those of the protocol, and conflating is one of its own", () => {
  assert.equal(askFor("a").mode, "all");
  assert.equal(askFor("a", { mode: "disconnect" }).mode, "disconnect");
  assert.deepEqual(askFor("a", { conflateMs: 0 }).mode, { conflate_ms: 0 });
  const both = { mode: "drop_oldest", conflateMs: 5 };
  for (const options of [both, { mode: "some" }, { conflateMs: -1 }, { queueSize: -1 }]) {
    assert.throws(() => askFor("a", options), { code: "INVALID_MESSAGE" });
  }
});

test("a pattern that is none is refused", () => {
  assert.throws(() => askFor("a..b"), { code: "INVALID_TOPIC" });
});

test("who goes on does so behind a cursor, and in a snapshot as a whole", () => {
  const ask = askFor("a", { from: "latest", mode: "drop_oldest", queueSize: 3 });
  assert.deepEqual(goingOn(ask, "e1:4", false), { ...ask, start: { cursor: "e1:4" } });
  assert.deepEqual(goingOn(ask, "e1:4", true), { ...ask, start: "latest", had: "e1:4" });
});

test("what is thinned has a position of its own", () => {
  const asks = [{}, { mode: "disconnect" }, { mode: "drop_oldest" }, { conflateMs: 5 }];
  assert.deepEqual(asks.map((options) => isShared(askFor("a", options))), [true, true, false, false]);
});
