import assert from "node:assert/strict";
import { test } from "node:test";

import { dial } from "../../src/transports/dial.js";
import { Hearing } from "./hearing.js";

test("a URL of no known scheme is refused, and shown without its secrets", async () => {
  for (const url of ["gopher://host", "ws:/host", "host:8765", "", "constructor://x?token=secret"]) {
    await assert.rejects(dial(url, new Hearing().hooks), (error) => {
      assert.deepEqual([error.code, error.field], ["INVALID_MESSAGE", "url"]);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
});

test("what was given up before is not begun", async () => {
  const why = new Error("given up");
  const signal = AbortSignal.abort(why);
  await assert.rejects(dial("ws://127.0.0.1:1/ws", new Hearing().hooks, { signal }), why);
});

test("each scheme leads to its transport, however it is spelled", async () => {
  const { hooks } = new Hearing();
  await assert.rejects(dial("WS://127.0.0.1:1/ws", hooks, { fallback: false }), /WebSocket/);
  await assert.rejects(dial("UNIX:///no/such.sock", hooks), /no such file/);
  await assert.rejects(dial("HTTP://127.0.0.1:1", hooks), /Nobody answers at/);
});
