import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameReader } from "../../src/transports/sse.js";

const STREAM =
  "retry: 2000\nid: e:0\n\n: heartbeat\nid: e:1\ndata: {\"a\":1}\n\n" +
  "event: gap\r\ndata:first\r\ndata: second\r\n\r\nid\ndata: ü: and: more\n\n\n\nevent: bye\ndata: {}\n\n";
const FRAMES = [
  { event: "", data: "", id: "e:0" },
  { event: "", data: '{"a":1}', id: "e:1" },
  { event: "gap", data: "first\nsecond", id: null },
  { event: "", data: "ü: and: more", id: "" },
  { event: "bye", data: "{}", id: null },
];

test("frames are the same however the stream is cut", () => {
  for (let first = 0; first <= STREAM.length; first++) {
    for (let second = first; second <= STREAM.length; second += 7) {
      const reader = new FrameReader(1000);
      const pieces = [STREAM.slice(0, first), STREAM.slice(first, second), STREAM.slice(second)];
      assert.deepEqual(
        pieces.flatMap((piece) => reader.read(piece)),
        FRAMES,
      );
    }
  }
});

test("a frame that is not complete is kept", () => {
  const reader = new FrameReader(1000);
  assert.deepEqual(reader.read("data: 1\n"), []);
  assert.deepEqual(reader.read("\ndata"), [{ event: "", data: "1", id: null }]);
});

test("a frame has a limit, in one line or in many", () => {
  const exact = new FrameReader(10);
  assert.equal(exact.read(`data: ${"x".repeat(4)}\n\n`).length, 1);
  assert.throws(() => exact.read("x".repeat(11)), { code: "MESSAGE_TOO_LARGE" });
  const lines = new FrameReader(10);
  lines.read("data: 1\n");
  assert.throws(() => lines.read("data: 2\n"), { code: "MESSAGE_TOO_LARGE" });
});
