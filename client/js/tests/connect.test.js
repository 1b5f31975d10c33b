import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../src/connect.js";

test("connect takes a URL, options, or both, and refuses what is none", async () => {
  await assert.rejects(connect("gopher://a"), { code: "INVALID_MESSAGE", field: "url" });
  await assert.rejects(connect("ws://a/ws", { tokne: 1 }), { code: "INVALID_MESSAGE", field: "tokne" });
  await assert.rejects(connect({ tokne: 1 }), { code: "INVALID_MESSAGE", field: "tokne" });
});

test("what is no URL is not taken for no URL, which is another broker", async () => {
  for (const url of [new URL("ws://a/ws?token=secret"), 8765, null]) {
    await assert.rejects(connect(url), (error) => {
      assert.deepEqual([error.code, error.field], ["INVALID_MESSAGE", "url"]);
      return !error.message.includes("secret");
    });
  }
  for (const options of [null, "token"]) {
    await assert.rejects(connect("ws://a/ws", options), { code: "INVALID_MESSAGE", field: "options" });
  }
});
