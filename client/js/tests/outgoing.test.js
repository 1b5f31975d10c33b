import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_WAITING } from "../src/outgoing.js";
import { IN_FLIGHT } from "../src/pace.js";
import { QueueFull } from "../src/protocol/errors.js";
import { codes, outcomes, Rig, turn } from "./rig.js";

const FULL = 2 * 1024 * 1024;

const published = (rig, numbers) => numbers.map((number) => rig.publisher.publish("a", number));
const data = (wire) => wire.of("publish").map((message) => message.data);
const range = (count) => Array.from({ length: count }, (_, place) => place);

test("publishes wait in their order while there is no connection", async () => {
  const rig = new Rig();
  assert.equal(await rig.publisher.publish("a", 0, { ack: false }), null);
  const pending = published(rig, [1, 2, 3]);
  const wire = rig.connect();
  assert.deepEqual(data(wire), [0, 1, 2, 3]);
  wire.of("publish").slice(1).forEach((message, place) => rig.ack(message, place + 1));
  assert.deepEqual((await outcomes(...pending)).map(({ seq }) => seq), [1, 2, 3]);
});

test("what a full socket does not take follows when it does", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  wire.buffered = FULL;
  const silent = rig.publisher.publish("a", 0, { ack: false });
  void rig.publisher.publish("a", 1);
  rig.clock.advance(10);
  assert.deepEqual(data(wire), []);
  assert.deepEqual(await outcomes(silent), [undefined], "who wants no answer is held up as well");
  wire.buffered = 0;
  rig.clock.advance(10);
  assert.deepEqual(data(wire), [0, 1]);
  assert.deepEqual(await outcomes(silent), [null]);
  assert.equal(rig.clock.pending, 0);
});

test("what was acknowledged is not sent again, what was not is, with the same id and key", async () => {
  const rig = new Rig();
  const before = rig.connect();
  const pending = published(rig, [1, 2]);
  rig.ack(before.sent[0], 7);
  rig.lose();
  const after = rig.connect();
  assert.deepEqual(after.sent, [before.sent[1]]);
  rig.ack(after.sent[0], 8);
  assert.deepEqual((await outcomes(...pending)).map(({ seq }) => seq), [7, 8]);
});

test("losses in the middle of a repeat keep the order", async () => {
  const rig = new Rig();
  rig.connect();
  void published(rig, [0, 1, 2]);
  rig.lose();
  void published(rig, [3]);
  const full = rig.connect();
  full.buffered = FULL; // three were written again, and the rest waits
  void published(rig, [4]);
  rig.lose();
  assert.deepEqual(data(rig.connect()), [0, 1, 2, 3, 4]);
});

test("a repeat that a full socket holds up comes before what is new", async () => {
  const rig = new Rig();
  rig.connect();
  void published(rig, [0, 1]);
  rig.lose();
  const wire = rig.wire;
  wire.buffered = FULL;
  rig.core.connected(wire, rig.core.welcome);
  void published(rig, [2]);
  wire.sent.length = 0;
  wire.buffered = 0;
  rig.clock.advance(10);
  assert.deepEqual(data(wire), [0, 1, 2]);
});

test("what was written without a key is unknown at once when the connection is lost", async () => {
  const rig = new Rig();
  rig.connect();
  const pending = rig.publisher.publish("a", 1, { ephemeral: true });
  rig.lose();
  assert.deepEqual(await codes(pending), ["OUTCOME_UNKNOWN"]);
  assert.deepEqual(rig.connect().sent, []);
});

for (const clock of ["steady", "wall"]) {
  test(`the age of a publish counts from its first writing, on the ${clock} clock`, async () => {
    const rig = new Rig();
    rig.connect();
    const pending = rig.publisher.publish("a", 1);
    for (const [moment, expected] of [[4000, undefined], [8000, undefined], [12_000, "OUTCOME_UNKNOWN"]]) {
      rig.lose();
      rig.clock[clock] += 4000;
      const wire = rig.connect();
      assert.deepEqual(await codes(pending), [expected], `after ${moment} ms`);
      assert.equal(wire.sent.length, expected === undefined ? 1 : 0);
    }
  });
}

test("a repeat leaves the broker two heartbeats to receive it in", async () => {
  const rig = new Rig();
  rig.connect({ heartbeat_ms: 2000 });
  const early = rig.publisher.publish("a", "early");
  rig.clock.advance(1000);
  const late = rig.publisher.publish("a", "late");
  rig.lose();
  rig.clock.advance(5000);
  assert.deepEqual(data(rig.connect({ heartbeat_ms: 2000 })), ["late"]);
  assert.deepEqual(await codes(early, late), ["OUTCOME_UNKNOWN", undefined]);
});

test("however slow the heartbeat, half of the memory of keys is made use of", async () => {
  const rig = new Rig();
  rig.connect();
  void rig.publisher.publish("a", 1);
  rig.lose();
  rig.clock.advance(4900);
  assert.deepEqual(data(rig.connect({ heartbeat_ms: 60_000 })), [1]);
});

test("a broker that never forgets a key gets it again at any time, one that keeps none never", async () => {
  for (const [dedupe_ms, sent] of [[null, 1], [0, 0], [undefined, 0]]) {
    const rig = new Rig();
    rig.connect();
    const pending = rig.publisher.publish("a", 1);
    rig.lose();
    rig.clock.advance(1e9);
    assert.equal(rig.connect({ limits: { dedupe_ms } }).sent.length, sent);
    assert.deepEqual(await codes(pending), [sent === 1 ? undefined : "OUTCOME_UNKNOWN"]);
  }
});

test("a log that was made anew knows no key of the old one", async () => {
  const rig = new Rig();
  rig.connect();
  const written = rig.publisher.publish("a", "written");
  rig.lose();
  void rig.publisher.publish("a", "never written");
  assert.deepEqual(data(rig.connect({ cursor: "e2:0" })), ["never written"]);
  await assert.rejects(written, { code: "OUTCOME_UNKNOWN", message: /log was recreated/ });
});

test("under another login a key is another key, so nothing is repeated", async () => {
  const rig = new Rig();
  rig.connect();
  const pending = rig.publisher.publish("a", 1);
  rig.lose();
  const identity = { subject: "bob", permissions: {} };
  assert.deepEqual(rig.connect({ identity }).sent, []);
  await assert.rejects(pending, { code: "OUTCOME_UNKNOWN", message: /a login whose keys/ });
});

test("without a login every connection has a new subject, and the keys stay the client's own", async () => {
  const rig = new Rig();
  const anonymous = (client_id) => {
    return { client_id, identity: { subject: `anonymous:${client_id}`, permissions: {} } };
  };
  rig.connect(anonymous("aaaaaaaaaaaa"));
  void rig.publisher.publish("a", 1);
  rig.lose();
  assert.deepEqual(data(rig.connect(anonymous("bbbbbbbbbbbb"))), [1]);
});

test("a repeat that a full socket held up for too long is not written", async () => {
  const rig = new Rig();
  rig.connect();
  const repeated = rig.publisher.publish("a", "repeated");
  rig.lose();
  void rig.publisher.publish("a", "new");
  const wire = rig.wire;
  wire.sent.length = 0;
  wire.buffered = FULL;
  rig.core.connected(wire, rig.core.welcome);
  rig.clock.advance(9995);
  wire.buffered = 0;
  rig.clock.advance(10);
  assert.deepEqual(data(wire), ["new"]);
  assert.deepEqual(await codes(repeated), ["OUTCOME_UNKNOWN"]);
});

test("a repeat that has become too large may have been done, and one never written was not", async () => {
  const rig = new Rig();
  rig.connect();
  const large = "x".repeat(500);
  const written = rig.publisher.publish("a", large);
  rig.lose();
  const waiting = rig.publisher.publish("a", large);
  void rig.publisher.publish("a", "small");
  assert.deepEqual(data(rig.connect({ limits: { max_message_bytes: 500 } })), ["small"]);
  assert.deepEqual(await codes(written, waiting), ["OUTCOME_UNKNOWN", "MESSAGE_TOO_LARGE"]);
});

test("too many at once wait for their turn, and nobody overtakes them", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  void published(rig, range(IN_FLIGHT));
  const silent = rig.publisher.publish("a", "silent", { ack: false });
  void rig.publisher.publish("a", "after");
  await turn();
  assert.equal(wire.sent.length, IN_FLIGHT);
  rig.ack(wire.sent[0], 1);
  assert.equal(await silent, null);
  assert.deepEqual(data(wire).slice(IN_FLIGHT), ["silent", "after"]);
});

test("so many wait for their turn, and one more is refused", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  wire.buffered = FULL;
  const pending = published(rig, range(MAX_WAITING));
  await assert.rejects(rig.publisher.publish("a", "one too many"), (error) => error instanceof QueueFull);
  wire.buffered = 0;
  rig.clock.advance(10);
  for (let place = 0; place < MAX_WAITING; place += 1) rig.ack(wire.sent[place], place + 1);
  assert.equal((await pending.at(-1)).seq, MAX_WAITING);
});

test("of those that wait when the connection is lost, the offline queue keeps the oldest", async () => {
  const rig = new Rig({ offlineQueue: 2 });
  const wire = rig.connect();
  wire.buffered = FULL;
  const pending = published(rig, [0, 1, 2, 3]);
  const silent = rig.publisher.publish("a", 4, { ack: false });
  rig.lose();
  const [, , third, fourth, last] = await outcomes(...pending, silent);
  for (const error of [third, fourth, last]) assert(error instanceof QueueFull);
  assert.deepEqual(data(rig.connect()), [0, 1]);
});

test("who wants no answer does not wait for the next connection either", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  wire.buffered = FULL;
  const silent = rig.publisher.publish("a", 1, { ack: false });
  rig.lose();
  assert.equal(await silent, null);
  assert.deepEqual(data(rig.connect()), [1]);
});

test("the end tells what is known of each", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const written = rig.publisher.publish("a", 1);
  wire.buffered = FULL;
  const waiting = rig.publisher.publish("a", 2);
  rig.core.end(null);
  assert.deepEqual(await codes(written, waiting), ["OUTCOME_UNKNOWN", "UNAVAILABLE"]);
  assert.equal(rig.clock.pending, 0);
});

// ---- refusals that pass

test("a refusal that passes is tried again after the time the broker names, with the same key", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const pending = rig.publisher.publish("a", 1);
  rig.refuse(wire.sent[0], "RATE_LIMIT_EXCEEDED", { retry_after_ms: 200 });
  rig.clock.advance(199);
  assert.equal(wire.sent.length, 1);
  rig.clock.advance(1);
  assert.deepEqual(wire.sent[1], wire.sent[0]);
  rig.ack(wire.sent[1], 5);
  assert.deepEqual(await pending, { seq: 5, duplicate: false });
  assert.equal(rig.clock.pending, 0);
});

test("what is refused together is tried again in the old order, before what is new", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  void published(rig, [1, 2, 3]);
  rig.ack(wire.sent[0], 1);
  for (const message of wire.sent.slice(1)) rig.refuse(message, "UNAVAILABLE", { retry_after_ms: 100 });
  void published(rig, [4]);
  assert.equal(wire.sent.length, 3, "what is new waits as well");
  rig.clock.advance(100);
  assert.deepEqual(data(wire), [1, 2, 3, 2, 3, 4]);
});

test("a broker that has enough gets fewer at once, and more again as it takes them", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  void published(rig, range(IN_FLIGHT));
  for (const message of [...wire.sent]) rig.refuse(message, "RATE_LIMIT_EXCEEDED", { retry_after_ms: 100 });
  rig.clock.advance(100);
  assert.equal(wire.sent.length, IN_FLIGHT * 1.5);
  rig.ack(wire.sent[IN_FLIGHT], 1);
  assert.equal(wire.sent.length, IN_FLIGHT * 1.5 + 2, "one for the one that is done, and one more");
});

for (const [why, code, more] of [
  ["it names no time", "UNAVAILABLE", {}],
  ["the same will never succeed", "PERMISSION_DENIED", { retry_after_ms: 1 }],
  ["it may have been done", "INTERNAL_ERROR", { retry_after_ms: 1 }],
  ["nobody would wait so long", "UNAVAILABLE", { retry_after_ms: 30_000 }],
]) {
  test(`a refusal is final where ${why}`, async () => {
    const rig = new Rig();
    const wire = rig.connect();
    const pending = rig.publisher.publish("a", 1);
    rig.refuse(wire.sent[0], code, more);
    await assert.rejects(pending, { code });
    rig.clock.advance(60_000);
    assert.equal(wire.sent.length, 1);
  });
}

test("a refusal is final where its caller's time ends before the next attempt", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const pending = rig.publisher.publish("a", 1, { timeoutMs: 100 });
  rig.refuse(wire.sent[0], "UNAVAILABLE", { retry_after_ms: 100 });
  assert.deepEqual(await codes(pending), ["UNAVAILABLE"]);
  assert.equal(rig.clock.pending, 0);
});

test("an event without a key is not tried again", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const pending = rig.publisher.publish("a", 1, { ephemeral: true });
  rig.refuse(wire.sent[0], "RATE_LIMIT_EXCEEDED", { retry_after_ms: 1 });
  assert.deepEqual(await codes(pending), ["RATE_LIMIT_EXCEEDED"]);
});

test("refusals without an end are put up with as long as a request may take", async () => {
  const rig = new Rig({ requestTimeoutMs: 1000 });
  const wire = rig.connect();
  const pending = rig.publisher.publish("a", 1);
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    assert.equal(wire.sent.length, attempt);
    rig.refuse(wire.sent.at(-1), "UNAVAILABLE", { retry_after_ms: 300 });
    rig.clock.advance(300);
  }
  assert.deepEqual(await codes(pending), ["UNAVAILABLE"]);
  assert.equal(wire.sent.length, 4);
});

test("what was refused may be sent on the next connection at any time, since nothing was done", async () => {
  const rig = new Rig({ requestTimeoutMs: Infinity });
  const wire = rig.connect();
  void rig.publisher.publish("a", 1);
  rig.refuse(wire.sent[0], "RATE_LIMIT_EXCEEDED", { retry_after_ms: 50_000 });
  rig.lose();
  assert.equal(rig.clock.pending, 0);
  rig.clock.advance(1e9);
  assert.deepEqual(data(rig.connect({ cursor: "e2:0" })), [1]);
});

test("what was lost once and then refused may have been done the first time", async () => {
  const rig = new Rig();
  rig.connect();
  const pending = rig.publisher.publish("a", 1);
  rig.lose();
  const wire = rig.connect();
  rig.refuse(wire.sent[0], "RATE_LIMIT_EXCEEDED", { retry_after_ms: 50 });
  rig.lose();
  assert.deepEqual(rig.connect({ cursor: "e2:0" }).sent, []);
  assert.deepEqual(await codes(pending), ["OUTCOME_UNKNOWN"]);
});

test("a repeat that is refused for good says nothing of the first attempt", async () => {
  const rig = new Rig();
  rig.connect();
  const pending = rig.publisher.publish("a", 1);
  rig.lose();
  rig.refuse(rig.connect().sent[0], "PERMISSION_DENIED");
  const [error] = await outcomes(pending);
  assert.deepEqual([error.code, error.cause.code], ["OUTCOME_UNKNOWN", "PERMISSION_DENIED"]);
});

test("what was refused and what was lost is sent in the old order on the next connection", () => {
  const rig = new Rig();
  const wire = rig.connect();
  void published(rig, [1, 2, 3]);
  rig.refuse(wire.sent[0], "RATE_LIMIT_EXCEEDED", { retry_after_ms: 500 });
  rig.lose();
  assert.deepEqual(data(rig.connect()), [1, 2, 3]);
});
