import assert from "node:assert/strict";
import { test } from "node:test";
import { Disconnected } from "../src/protocol/errors.js";
import { codes, outcomes, Rig, turn } from "./rig.js";

function connected(settings) {
  const rig = new Rig(settings);
  rig.connect();
  return rig;
}

/** A stream of which the first `replies` were read by nobody yet, its call sent. */
function begun(rig, options) {
  const stream = rig.caller.stream("count", 3, options);
  const first = stream.next();
  return { stream, first, id: rig.wire.last("call")?.id };
}

test("a call returns the data of its reply", async () => {
  const rig = connected({ requestTimeoutMs: 7000 });
  const calling = rig.caller.call("greet", { name: "x" });
  const { id, ...message } = rig.wire.last("call");
  assert.deepEqual(message, { type: "call", method: "greet", params: { name: "x" }, timeout_ms: 7000 });
  rig.say({ type: "reply", id, data: ["hello"] });
  assert.deepEqual(await calling, ["hello"]);
});

test("a method of the broker that answers by an ack returns null", async () => {
  const rig = connected();
  const calling = rig.caller.call("m");
  rig.say({ type: "ack", id: rig.wire.last("call").id });
  assert.equal(await calling, null);
});

test("the error of a call is thrown by its name, and no parameters are none", async () => {
  const rig = connected();
  const calling = rig.caller.call("nothing", null);
  assert.equal("params" in rig.wire.last("call"), false);
  const details = { left: 0 };
  rig.refuse(rig.wire.last("call"), "HANDLER_FAILED", { handler_code: "OUT_OF_STOCK", details });
  await assert.rejects(calling, { code: "HANDLER_FAILED", handlerCode: "OUT_OF_STOCK", details });
});

test("an option that there is not is refused at once, and nothing is sent", async () => {
  const rig = connected();
  const refusal = { code: "INVALID_MESSAGE", field: "timeout" };
  await assert.rejects(rig.caller.call("m", 1, { timeout: 5 }), refusal);
  assert.throws(() => rig.caller.stream("m", 1, { timeout: 5 }), refusal);
  assert.deepEqual(rig.wire.of("call"), []);
});

test("parameters that JSON cannot hold are refused at once", async () => {
  const rig = connected();
  await assert.rejects(rig.caller.call("m", { n: 1n }), { code: "INVALID_MESSAGE" });
  await assert.rejects(rig.caller.stream("m", { n: 1n }).next(), { code: "INVALID_MESSAGE" });
  assert.deepEqual(rig.wire.sent, []);
});

test("without a limit a call takes as long as the broker lets it, and without a word of it a day", () => {
  for (const [limit, sent] of [[5000, 5000], [null, 86_400_000], [undefined, 86_400_000]]) {
    const rig = new Rig();
    rig.connect({ limits: { max_call_timeout_ms: limit } });
    void rig.caller.call("m", 1, { timeoutMs: Infinity }).catch(() => {});
    assert.equal(rig.wire.last("call").timeout_ms, sent);
    assert.equal(rig.clock.pending, 0);
  }
});

test("a time below a millisecond is one for the broker, to which 0 would be at once", () => {
  const rig = connected();
  void rig.caller.call("m", 1, { timeoutMs: 0.2 });
  assert.equal(rig.wire.last("call").timeout_ms, 1);
});

test("a call with no time at all is not sent", async () => {
  const rig = connected();
  await assert.rejects(rig.caller.call("m", 1, { timeoutMs: 0 }), { code: "TIMEOUT" });
  await assert.rejects(rig.caller.stream("m", 1, { timeoutMs: 0 }).next(), { code: "TIMEOUT" });
  assert.deepEqual(rig.wire.sent, []);
});

test("a call given up by its signal is cancelled at the broker", async () => {
  const rig = connected();
  const controller = new AbortController();
  const calling = rig.caller.call("m", 1, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(calling, /enough/);
  assert.equal(rig.wire.last("cancel").id, rig.wire.last("call").id);
});

// ---- streams

test("a stream yields every reply, and ends with the last", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  for (const data of [1, 2]) rig.say({ type: "reply", id, data, more: true });
  rig.say({ type: "reply", id, data: 3 });
  const read = [(await first).value];
  for await (const data of stream) read.push(data);
  assert.deepEqual(read, [1, 2, 3]);
  assert.deepEqual(rig.wire.of("cancel"), []);
  assert.equal(rig.clock.pending, 0);
});

test("a stream whose end is told by itself has no reply for it", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  rig.say({ type: "reply", id, data: null, end: true });
  assert.deepEqual(await first, { value: undefined, done: true });
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
});

test("nothing is sent before the first reply is asked for", async () => {
  const rig = connected();
  const stream = rig.caller.stream("count");
  await stream.return();
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  assert.deepEqual(rig.wire.sent, []);
});

test("leaving the loop cancels the call", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  for (const data of [1, 2]) rig.say({ type: "reply", id, data, more: true });
  assert.equal((await first).value, 1);
  for await (const data of stream) {
    assert.equal(data, 2);
    break;
  }
  await stream.return();
  assert.deepEqual(rig.wire.of("cancel").map((message) => message.id), [id]);
  assert.equal(rig.clock.pending, 0);
});

test("a stream that is left while somebody reads it ends for the reader too", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  const second = stream.next();
  await stream.return();
  assert.deepEqual((await outcomes(first, second)).map(({ done }) => done), [true, true]);
  assert.equal(rig.wire.last("cancel").id, id);
});

test("replies go to those who asked, in their order", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  const second = stream.next();
  for (const data of [1, 2]) rig.say({ type: "reply", id, data, more: true });
  assert.deepEqual((await outcomes(first, second)).map(({ value }) => value), [1, 2]);
});

test("a stream that is read too slowly is cancelled, and what came before is read first", async () => {
  const rig = connected({ queueSize: 2 });
  const { stream, first, id } = begun(rig);
  rig.say({ type: "reply", id, data: 0, more: true });
  assert.equal((await first).value, 0);
  for (const data of [1, 2, 3, 4]) rig.say({ type: "reply", id, data, more: true });
  assert.deepEqual(rig.wire.of("cancel").map((message) => message.id), [id]);
  assert.deepEqual([(await stream.next()).value, (await stream.next()).value], [1, 2]);
  await assert.rejects(stream.next(), { code: "SLOW_CONSUMER", message: /More than 2 replies/ });
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  assert.equal(rig.clock.pending, 0);
});

test("an error in the middle comes behind the replies before it, and once", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  for (const data of [1, 2]) rig.say({ type: "reply", id, data, more: true });
  rig.refuse({ id }, "HANDLER_FAILED", { handler_code: "ENOUGH" });
  assert.equal((await first).value, 1);
  assert.equal((await stream.next()).value, 2);
  await assert.rejects(stream.next(), { handlerCode: "ENOUGH" });
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
});

test("a stream cut in the middle fails as unknown", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig);
  rig.say({ type: "reply", id, data: 0, more: true });
  assert.equal((await first).value, 0);
  const next = stream.next();
  rig.lose();
  assert.deepEqual(await codes(next), ["OUTCOME_UNKNOWN"]);
  assert.deepEqual(rig.connect().sent, []);
});

test("a stream without a connection fails at once, and is over", async () => {
  const rig = new Rig();
  const stream = rig.caller.stream("count");
  await assert.rejects(stream.next(), (error) => error instanceof Disconnected);
  rig.connect();
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  assert.deepEqual(rig.wire.sent, []);
});

test("streamed replies do not prolong the time of a stream", async () => {
  const rig = connected();
  const { stream, first, id } = begun(rig, { timeoutMs: 100 });
  rig.clock.advance(60);
  rig.say({ type: "reply", id, data: 0, more: true });
  assert.equal((await first).value, 0);
  const next = stream.next();
  rig.clock.advance(40);
  assert.deepEqual(await codes(next), ["TIMEOUT"]);
  assert.equal(rig.wire.last("cancel").id, id);
});

test("a signal ends a stream, whatever its reason is", async () => {
  const rig = connected();
  for (const reason of [new Error("enough"), null]) {
    const controller = new AbortController();
    const { stream, first } = begun(rig, { signal: controller.signal });
    controller.abort(reason);
    await first.then(
      () => assert.fail("it goes on"),
      (error) => assert.equal(error, reason),
    );
    assert.deepEqual(await stream.next(), { value: undefined, done: true });
  }
  const signal = AbortSignal.abort();
  await assert.rejects(rig.caller.stream("m", 1, { signal }).next(), { name: "AbortError" });
  assert.equal(rig.wire.of("cancel").length, 2);
});

test("an error that nobody reads is no unhandled rejection", async () => {
  const rig = connected();
  const { first, id } = begun(rig);
  rig.say({ type: "reply", id, data: 0, more: true });
  await first;
  rig.lose();
  await turn();
});
