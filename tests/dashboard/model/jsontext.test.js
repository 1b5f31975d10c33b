import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { CutValue, cut, jsonOf, lightened, previewOf } from "../../../broker/dashboard/model/jsontext.js";

test("a value that is light is kept as it is", () => {
  const value = { list: [1, "two", null, { three: true }] };
  assert.equal(lightened(value), value);
});

test("of a heavy value only its beginning is kept, and how long it was", () => {
  const kept = lightened({ text: "ä".repeat(200000) });
  assert.ok(kept instanceof CutValue);
  assert.equal(kept.bytes, 400000 + '{"text":""}'.length);
  assert.equal(kept.text.length, 65536);
  assert.deepEqual(jsonOf(kept, 10), { text: '{"text":"ä', isCut: true, bytes: kept.bytes });
});

test("a long list of small things is heavy too", () => {
  assert.ok(lightened(Array.from({ length: 50000 }, () => 1)) instanceof CutValue);
});

test("bytes are those of UTF-8", () => {
  for (const text of ["a", "é", "€", "😀", 'q"\\'].map((each) => each.repeat(3))) {
    assert.equal(jsonOf(text, 100).bytes, Buffer.byteLength(JSON.stringify(text)));
  }
});

test("what was cut does not keep the whole of it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const before = process.memoryUsage().heapUsed;
  const texts = Array.from({ length: 50 }, (_, index) => cut(JSON.parse(`"${index}${"x".repeat(1000000)}"`), 200));
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.ok(process.memoryUsage().heapUsed - before < 10000000);
  assert.equal(texts.length, 50);
});

test("a preview has 200 characters at most, and says that it was cut", () => {
  const preview = previewOf("x".repeat(500));
  assert.equal(preview.length, 200);
  assert.ok(preview.endsWith("…"));
  assert.equal(previewOf(null), "null");
  assert.equal(cut("abc", 3), "abc");
});
