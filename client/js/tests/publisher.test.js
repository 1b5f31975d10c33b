import assert from "node:assert/strict";
import { test } from "node:test";
import { Disconnected, QueueFull } from "../src/protocol/errors.js";
import { codes, outcomes, Rig, turn } from "./rig.js";

function connected(settings) {
  const rig = new Rig(settings);
  rig.connect();
  return rig;
}

test("a publish returns what the broker made of it", async () => {
  const rig = connected();
  const publishing = rig.publisher.publish("a.b", { x: 1 }, {
    key: "k",
    headers: { h: "v" },
    echo: false,
    clear: true,
  });
  const { id, ...message } = rig.wire.last("publish");
  assert.deepEqual(message, {
    type: "publish",
    topic: "a.b",
    data: { x: 1 },
    key: "k",
    headers: { h: "v" },
    echo: false,
    clear: true,
  });
  rig.say({ type: "ack", id, seq: 4, duplicate: true });
  assert.deepEqual(await publishing, { seq: 4, duplicate: true });
});

test("each publish gets a key of its own, and each client other keys", async () => {
  const rig = connected();
  for (let number = 0; number < 3; number += 1) void rig.publisher.publish("a", number);
  const keys = rig.wire.of("publish").map(({ key }) => key);
  assert.equal(new Set(keys).size, 3);
  assert.equal(new Set(keys.map((key) => key.split(":")[0])).size, 1);
  const other = connected();
  void other.publisher.publish("a", 1);
  assert.notEqual(other.wire.last("publish").key.split(":")[0], keys[0].split(":")[0]);
});

test("an ephemeral event gets no key, and its ack has no place", async () => {
  const rig = connected();
  const publishing = rig.publisher.publish("a", 1, { ephemeral: true });
  const { id, ...message } = rig.wire.last("publish");
  assert.deepEqual(message, { type: "publish", topic: "a", data: 1, ephemeral: true });
  rig.say({ type: "ack", id });
  assert.deepEqual(await publishing, { seq: null, duplicate: false });
});

test("without ack nothing is waited for, and the message has neither id nor key", async () => {
  const rig = connected();
  assert.equal(await rig.publisher.publish("a", 1, { ack: false }), null);
  assert.deepEqual(rig.wire.sent, [{ type: "publish", topic: "a", data: 1 }]);
});

test("the error of the broker is thrown", async () => {
  const rig = connected();
  const publishing = rig.publisher.publish("a", 1);
  rig.refuse(rig.wire.last("publish"), "PERMISSION_DENIED", { field: "topic" });
  await assert.rejects(publishing, { code: "PERMISSION_DENIED", field: "topic" });
});

for (const topic of ["", "a..b", "a.*", "#"]) {
  test(`${JSON.stringify(topic)} is no topic, and is refused at once`, async () => {
    const rig = connected();
    await assert.rejects(rig.publisher.publish(topic, 1), { code: "INVALID_TOPIC" });
    assert.deepEqual(rig.wire.sent, []);
  });
}

const circle = {};
circle.of = circle;
const strange = { nothing: undefined, bigint: 1n, function: () => 1, NaN: NaN, circle };
for (const [name, data] of Object.entries(strange)) {
  test(`data that JSON cannot hold is refused at once: ${name}`, async () => {
    const rig = connected();
    await assert.rejects(rig.publisher.publish("a", data), { code: "INVALID_MESSAGE", field: "data" });
    assert.deepEqual(rig.wire.sent, []);
  });
}

test("an option that there is not is refused at once, and nothing is sent", async () => {
  const rig = connected();
  const refusals = { timeout: { timeout: 5 }, key_: { key_: "k" }, options: null };
  for (const [field, options] of Object.entries(refusals)) {
    await assert.rejects(rig.publisher.publish("a", 1, options), { code: "INVALID_MESSAGE", field });
  }
  assert.deepEqual(rig.wire.of("publish"), []);
});

test("null is data", async () => {
  const rig = connected();
  void rig.publisher.publish("a", null);
  assert.equal(rig.wire.last("publish").data, null);
});

test("what its caller does to the data later is not what is published", async () => {
  const rig = new Rig();
  const data = { state: "then" };
  void rig.publisher.publish("a", data);
  data.state = "now";
  assert.deepEqual(rig.connect().last("publish").data, { state: "then" });
});

test("a message over the limit is refused here, and the connection lives", async () => {
  const rig = new Rig();
  rig.connect({ limits: { max_message_bytes: 500 } });
  const error = { code: "MESSAGE_TOO_LARGE" };
  await assert.rejects(rig.publisher.publish("a", "x".repeat(500)), error);
  await assert.rejects(rig.publisher.publish("a", "x".repeat(500), { ack: false }), error);
  assert.deepEqual(rig.wire.sent, []);
});

for (const room of [0, 2]) {
  test(`an offline queue that holds ${room} and is full is an error that says so`, async () => {
    const rig = new Rig({ offlineQueue: room });
    for (let number = 0; number < room; number += 1) await rig.publisher.publish("a", number, { ack: false });
    for (const ack of [true, false]) {
      await assert.rejects(rig.publisher.publish("a", "one too many", { ack }), (error) => {
        assert(error instanceof QueueFull);
        assert.deepEqual([error.code, error.field], ["LIMIT_EXCEEDED", "offlineQueue"]);
        assert.match(error.message, new RegExp(`holds ${room}\\b`));
        return true;
      });
    }
    assert.deepEqual(rig.connect().sent.map(({ data }) => data), [0, 1].slice(0, room));
  });
}

test("no room offline is no limit online", async () => {
  const rig = connected({ offlineQueue: 0 });
  const publishing = rig.publisher.publish("a", 1);
  rig.ack(rig.wire.last("publish"), 1);
  assert.equal((await publishing).seq, 1);
});

test("an infinite offline queue takes whatever comes", async () => {
  const rig = new Rig({ offlineQueue: Infinity });
  for (let number = 0; number < 5000; number += 1) void rig.publisher.publish("a", number);
  assert.equal(rig.connect().sent.length, 4096, "as many as are unanswered at once");
});

test("a publish that timed out before it was written is never sent, and makes room", async () => {
  const rig = new Rig({ offlineQueue: 1 });
  const late = rig.publisher.publish("a", "late", { timeoutMs: 5 });
  rig.clock.advance(5);
  await assert.rejects(late, { code: "TIMEOUT", message: "This publish was not answered within 5 ms." });
  void rig.publisher.publish("a", "wanted");
  assert.deepEqual(rig.connect().sent.map(({ data }) => data), ["wanted"]);
});

test("a publish that timed out after it was written is not sent again", async () => {
  const rig = connected();
  const late = rig.publisher.publish("a", 1, { timeoutMs: 5 });
  rig.clock.advance(5);
  assert.deepEqual(await codes(late), ["TIMEOUT"]);
  rig.lose();
  assert.deepEqual(rig.connect().sent, []);
});

test("a publish given up by its signal is not sent later, and rejects with the reason", async () => {
  const rig = new Rig();
  const controller = new AbortController();
  const given = [
    rig.publisher.publish("a", 1, { signal: controller.signal }),
    rig.publisher.publish("a", 2, { signal: AbortSignal.abort() }),
  ];
  controller.abort();
  for (const each of given) await assert.rejects(each, { name: "AbortError" });
  assert.deepEqual(rig.connect().sent, []);
});

test("a late ack of a publish given up is ignored", async () => {
  const rig = connected();
  const late = rig.publisher.publish("a", 1, { timeoutMs: 5 });
  rig.clock.advance(5);
  rig.ack(rig.wire.last("publish"), 1);
  assert.deepEqual(await codes(late), ["TIMEOUT"]);
  assert.deepEqual(rig.reports, []);
});

test("a time of zero fails at once and sends nothing", async () => {
  const rig = connected();
  for (const ack of [true, false]) {
    await assert.rejects(rig.publisher.publish("a", 1, { timeoutMs: 0, ack }), { code: "TIMEOUT" });
  }
  assert.deepEqual(rig.wire.sent, []);
});

test("by default a publish has no deadline, and no timer", async () => {
  const rig = new Rig();
  const published = [rig.publisher.publish("a", 1), rig.publisher.publish("a", 2, { timeoutMs: null })];
  assert.equal(rig.clock.pending, 0);
  rig.clock.advance(1e9);
  assert.deepEqual(await outcomes(...published), [undefined, undefined]);
  const wire = rig.connect();
  for (const message of wire.sent) rig.ack(message, 7);
  assert.deepEqual((await outcomes(...published)).map(({ seq }) => seq), [7, 7]);
});

test("what is answered in time leaves no timer and no listener", async () => {
  const rig = connected();
  const controller = new AbortController();
  const publishing = rig.publisher.publish("a", 1, { timeoutMs: 500, signal: controller.signal });
  assert.equal(rig.clock.pending, 1);
  rig.ack(rig.wire.last("publish"), 1);
  assert.equal((await publishing).seq, 1);
  assert.equal(rig.clock.pending, 0);
  controller.abort();
  assert.deepEqual(rig.reports, []);
});

test("draining waits for the last answer", async () => {
  const rig = connected();
  const publishing = rig.publisher.publish("a", 1);
  const draining = rig.publisher.drain(5000).then(() => "drained");
  assert.deepEqual(await outcomes(draining), [undefined]);
  rig.ack(rig.wire.last("publish"), 1);
  assert.deepEqual(await outcomes(draining), ["drained"]);
  assert.equal((await publishing).seq, 1);
  assert.equal(rig.clock.pending, 0);
});

test("draining ends with its time, however much is left", async () => {
  const rig = connected();
  const publishing = rig.publisher.publish("a", 1);
  const draining = rig.publisher.drain(5000).then(() => "over");
  rig.clock.advance(5000);
  assert.deepEqual(await outcomes(draining, publishing), ["over", undefined]);
  rig.core.end(null);
  assert.deepEqual(await codes(publishing), ["OUTCOME_UNKNOWN"]);
});

test("there is nothing to drain where nothing was published, nor once the client has ended", async () => {
  const rig = connected();
  await rig.publisher.drain(5000);
  const publishing = rig.publisher.publish("a", 1);
  const draining = rig.publisher.drain(5000);
  rig.core.end(null);
  await draining;
  assert.deepEqual(await codes(publishing), ["OUTCOME_UNKNOWN"]);
  assert.equal(rig.clock.pending, 0);
});

test("after the end a publish fails at once, with the reason", async () => {
  const rig = connected();
  rig.core.end(null);
  await assert.rejects(rig.publisher.publish("a", 1), (error) => error instanceof Disconnected);
  await assert.rejects(rig.publisher.publish("a", 1, { ack: false }), /The client was disconnected/);
  await turn();
});
