import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameCutter, PREFACE, frame } from "../../src/protocol/framing.js";
import { vectors } from "./vectors.js";

const cases = vectors("framing");

/** What comes of an input in these pieces: messages, the code of the error, the bytes taken till then. */
function cut(pieces, maxBytes) {
  const cutter = new FrameCutter(maxBytes);
  const messages = [];
  let after = 0;
  try {
    for (const piece of pieces) {
      after += piece.length;
      messages.push(...cutter.push(piece));
    }
    after = null;
    messages.push(...cutter.finish());
  } catch (error) {
    messages.push(...error.details);
    return { mode: cutter.mode, messages, error: error.code, after };
  }
  return { mode: cutter.mode, messages, error: null, after };
}

function splitAt(bytes, offsets) {
  const edges = [0, ...offsets, bytes.length];
  return edges.slice(1).map((end, place) => bytes.subarray(edges[place], end));
}

test("there are cases to test", () => {
  assert.ok(cases.length >= 62);
});

for (const { name, max_bytes: maxBytes, input, splits, mode, messages, error, error_after: after } of cases) {
  const bytes = Uint8Array.from(Buffer.from(input, "hex"));

  test(`${name}, in the pieces given`, () => {
    const got = cut(splitAt(bytes, splits), maxBytes);
    assert.deepEqual({ messages: got.messages, error: got.error }, { messages, error });
    assert.equal(got.mode, mode);
  });

  test(`${name}, byte by byte, with the error as soon as it can be known`, () => {
    const got = cut(splitAt(bytes, [...bytes.keys()].slice(1)), maxBytes);
    assert.deepEqual(got, { mode, messages, error, after });
  });
}

test("a frame is cut back into its text", () => {
  const texts = ['{"type":"ping"}', "中🐝", "x".repeat(70_000)];
  const bytes = Buffer.concat([PREFACE, ...texts.map(frame)]);
  assert.deepEqual(cut([bytes], 70_000).messages, texts);
});

test("an empty message has no frame", () => {
  assert.throws(() => frame(""), { code: "INVALID_MESSAGE" });
});

test("after an error every call throws it again, and hands over no message twice", () => {
  const cutter = new FrameCutter(64);
  const bytes = Buffer.concat([PREFACE, frame("1"), new Uint8Array(4)]);
  assert.throws(() => cutter.push(bytes), { code: "INVALID_MESSAGE", details: ["1"] });
  assert.throws(() => cutter.push(frame("2")), { code: "INVALID_MESSAGE", details: [] });
  assert.throws(() => cutter.finish(), { code: "INVALID_MESSAGE", details: [] });
});

test("bytes that the socket uses again are kept as they came", () => {
  const cutter = new FrameCutter();
  const whole = Buffer.concat([PREFACE, frame("abc")]);
  const shared = Uint8Array.from(whole.subarray(0, 13));
  assert.deepEqual(cutter.push(shared), []);
  shared.fill(0);
  assert.deepEqual(cutter.push(whole.subarray(13)), ["abc"]);
});
