import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CLOSES,
  Disconnected,
  ERRORS,
  QueueFull,
  SwarmwireError,
  errorFrom,
} from "../../src/protocol/errors.js";
import { vectors } from "./vectors.js";

const shared = vectors("errors");

test("the table of errors is that of the protocol", () => {
  const own = Object.entries(ERRORS).map(([code, info]) => ({ code, ...info }));
  assert.ok(shared.errors.length >= 27);
  assert.deepEqual(own, shared.errors);
});

test("the table of closes is that of the protocol", () => {
  const own = Object.entries(CLOSES).map(([code, info]) => ({ code: Number(code), ...info }));
  assert.ok(shared.closes.length >= 15);
  assert.deepEqual(own, shared.closes);
});

test("an error says whether to try again and what was done", () => {
  const error = new SwarmwireError("HANDLER_GONE");
  assert.equal(error.message, ERRORS.HANDLER_GONE.sentence);
  assert.equal(error.retry, false);
  assert.equal(error.outcome, "unknown");
});

test("an error of the broker keeps everything it told", () => {
  const error = errorFrom({
    code: "HANDLER_FAILED",
    message: "None left.",
    id: 7,
    field: "params.count",
    retry_after_ms: 0,
    handler_code: "OUT_OF_STOCK",
    details: null,
    results: [{ sub: "a", cursor: "e:1" }],
    versions: ["1"],
  });
  const { code, message, field, retryAfterMs, handlerCode, details, results, versions } = error;
  assert.deepEqual(
    { code, message, field, retryAfterMs, handlerCode, details, results, versions },
    {
      code: "HANDLER_FAILED",
      message: "None left.",
      field: "params.count",
      retryAfterMs: 0,
      handlerCode: "OUT_OF_STOCK",
      details: null,
      results: [{ sub: "a", cursor: "e:1" }],
      versions: ["1"],
    },
  );
  assert.equal(String(error), "SwarmwireError: HANDLER_FAILED OUT_OF_STOCK: None left. (field params.count)");
});

test("a code that came later is kept, not retried, and says nothing of the outcome", () => {
  for (const code of ["SOMETHING_NEW", "constructor", "__proto__"]) {
    const error = errorFrom({ code, message: "m" });
    assert.deepEqual([error.code, error.retry, error.outcome], [code, false, "unknown"]);
  }
});

test("errors that only a client knows are told apart by their class", () => {
  const full = new QueueFull("At most 3 publishes wait; this is one more.");
  assert.ok(full instanceof SwarmwireError && full instanceof Error);
  assert.deepEqual([full.name, full.code, full.outcome], ["QueueFull", "LIMIT_EXCEEDED", "not_done"]);
  const cause = new Error("refused");
  const lost = new Disconnected("No broker there.", { cause });
  assert.deepEqual([lost.name, lost.code, lost.retry], ["Disconnected", "UNAVAILABLE", true]);
  assert.equal(lost.cause, cause);
});
