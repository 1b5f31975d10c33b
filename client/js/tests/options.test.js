import assert from "node:assert/strict";
import { test } from "node:test";

import { settingsOf } from "../src/options.js";

test("what was not given has its default", () => {
  const settings = settingsOf("ws://a/ws", { name: undefined });
  assert.equal(settings.url, "ws://a/ws");
  assert.equal(settings.name, "swarmwire-js");
  assert.equal(settings.maxAttempts, Infinity);
  assert.equal(settings.reconnect, true);
});

test("null is no limit, and zero is zero", () => {
  const { maxAttempts, offlineQueue, requestTimeoutMs, baseDelayMs } = settingsOf(undefined, {
    maxAttempts: null,
    offlineQueue: null,
    requestTimeoutMs: 0,
    baseDelayMs: 0,
  });
  assert.deepEqual([maxAttempts, offlineQueue, requestTimeoutMs, baseDelayMs], [Infinity, Infinity, 0, 0]);
});

test("an option that there is not is refused with those there are", () => {
  for (const name of ["tokne", "url", "toString"]) {
    assert.throws(() => settingsOf(undefined, { [name]: "x" }), { code: "INVALID_MESSAGE", field: name });
  }
});

test("an option of a wrong kind is refused, and a token is not shown", () => {
  const flags = { reconnect: 1, fallback: null };
  const numbers = { baseDelayMs: "5", maxDelayMs: NaN, queueSize: 0 };
  const others = { broker: 5, WebSocket: "ws", resumeStorage: { getItem() {} }, name: 3, token: ["secret"] };
  for (const [name, value] of Object.entries({ ...flags, ...numbers, ...others })) {
    assert.throws(() => settingsOf(undefined, { [name]: value }), (error) => {
      assert.equal(error.field, name);
      return !error.message.includes("secret");
    });
  }
});
