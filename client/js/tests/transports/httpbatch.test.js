import assert from "node:assert/strict";
import { test } from "node:test";

import { decided, takeBatch } from "../../src/transports/httpbatch.js";
import { Bye, Lost } from "../../src/transports/httpproblem.js";

const publish = (id, text = "{}") => ({ type: "publish", id, message: {}, text });
const batch = [publish(1), publish(2), publish(undefined)];
const answered = (...results) => decided(batch, JSON.stringify({ results }));
const problem = (code) => ({ error: { code, message: `It is ${code}.` } });

test("a batch is what waits in front, up to another kind of message", () => {
  const queue = [publish(1), publish(2), { type: "call", id: 3, message: {}, text: "{}" }, publish(4)];
  assert.deepEqual(takeBatch(queue, {}).map(({ id }) => id), [1, 2]);
  assert.deepEqual(queue.map(({ id }) => id), [3, 4]);
});

test("a batch is bounded in number and in size, and holds at least one", () => {
  const many = () => Array.from({ length: 1500 }, (_, id) => publish(id));
  assert.equal(takeBatch(many(), {}).length, 1000);
  assert.equal(takeBatch(many(), { max_batch: 10 }).length, 10);
  assert.equal(takeBatch(many(), { max_batch: 10 }, 3).length, 3);
  assert.equal(takeBatch(many(), {}, 0).length, 1);
  const large = () => [publish(1, "x".repeat(600)), publish(2, "x".repeat(600)), publish(3)];
  assert.equal(takeBatch(large(), { max_message_bytes: 1000 }).length, 1);
  assert.equal(takeBatch(large(), { max_message_bytes: 100 }).length, 1);
  assert.equal(takeBatch(large(), { max_message_bytes: null }).length, 3);
});

test("each item has its own answer, if it asked for one or failed", () => {
  assert.deepEqual(answered({ seq: 7 }, { seq: 5, duplicate: true }, { seq: 8 }), {
    answers: [
      { type: "ack", id: 1, seq: 7, duplicate: undefined },
      { type: "ack", id: 2, seq: 5, duplicate: true },
    ],
    end: null,
  });
  const { answers } = answered({ seq: 1 }, problem("INVALID_TOPIC"), problem("PERMISSION_DENIED"));
  assert.deepEqual(answers.map(({ type, id, code }) => [type, id, code]), [
    ["ack", 1, undefined],
    ["error", 2, "INVALID_TOPIC"],
    ["error", undefined, "PERMISSION_DENIED"],
  ]);
});

test("an item that was not decided is not answered, and ends the connection", () => {
  const expired = answered({ seq: 1 }, problem("OUTCOME_UNKNOWN"), problem("TOKEN_EXPIRED"));
  assert.deepEqual(expired.answers.map(({ id }) => id), [1]);
  assert.ok(expired.end instanceof Bye);
  assert.equal(expired.end.code, 4401);
  assert.ok(answered({ seq: 1 }, { seq: 2 }, problem("OUTCOME_UNKNOWN")).end instanceof Lost);
});

test("what is no answer to the batch loses the connection", () => {
  for (const text of ["<html>", "{}", '{"results":[]}', "null"]) {
    assert.throws(() => decided(batch, text), Lost, text);
  }
});
