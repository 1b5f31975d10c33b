import assert from "node:assert/strict";
import { test } from "node:test";
import { Disconnected } from "../src/protocol/errors.js";
import { MAX_PENDING } from "../src/requests.js";
import { codes, outcomes, Rig } from "./rig.js";

const auth = { type: "auth", token: "t" };
const call = { type: "call", method: "m" };

test("answers find their requests in any order", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const asked = [1, 2, 3].map((params) => rig.requests.request({ ...call, params }));
  for (const { id, params } of wire.of("call").reverse()) rig.say({ type: "reply", id, data: params * 10 });
  assert.deepEqual((await outcomes(...asked)).map(({ data }) => data), [10, 20, 30]);
  assert.equal(rig.clock.pending, 0);
});

test("the error of the broker is thrown with all it says", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const asked = rig.requests.request(auth);
  rig.refuse(wire.last("auth"), "PERMISSION_DENIED", { field: "token" });
  await assert.rejects(asked, { code: "PERMISSION_DENIED", field: "token", message: "No." });
});

test("of a streamed answer the last reply counts, also where only its end is told", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const asked = [rig.requests.request(call), rig.requests.request(call), rig.requests.request(call)];
  const [first, second, third] = wire.of("call");
  for (const { id } of [first, second]) {
    rig.say({ type: "reply", id, data: 1, more: true });
    rig.say({ type: "reply", id, data: 2, more: true });
  }
  rig.say({ type: "reply", id: first.id, data: 3 });
  rig.say({ type: "reply", id: second.id, data: null, end: true });
  rig.say({ type: "reply", id: third.id, data: null, end: true });
  assert.deepEqual((await outcomes(...asked)).map(({ data }) => data), [3, 2, null]);
});

test("without a connection a request fails at once and is not sent on the next", async () => {
  const rig = new Rig();
  const asked = rig.requests.request(auth);
  await assert.rejects(asked, (error) => error instanceof Disconnected && error.code === "UNAVAILABLE");
  assert.deepEqual(rig.connect().sent, []);
});

test("a request cut before its answer fails as unknown and is not sent again", async () => {
  const rig = new Rig();
  rig.connect();
  const asked = rig.requests.request(auth);
  rig.lose();
  assert.deepEqual(await codes(asked), ["OUTCOME_UNKNOWN"]);
  assert.deepEqual(rig.connect().sent, []);
  assert.equal(rig.clock.pending, 0);
});

test("after the end requests are told why it ended", async () => {
  const rig = new Rig();
  rig.connect();
  const asked = rig.requests.request(auth);
  const reason = new Disconnected("The login was revoked.");
  rig.core.wire = null;
  rig.core.end(reason);
  assert.deepEqual(await codes(asked), ["OUTCOME_UNKNOWN"]);
  await assert.rejects(rig.requests.request(auth), reason);
});

test("after an end by intent requests are told that it was one", async () => {
  const rig = new Rig();
  rig.core.end(null);
  await assert.rejects(rig.requests.request(auth), /The client was disconnected/);
});

test("a call out of time is cancelled at the broker, and its late answer is for nobody", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const asked = rig.requests.request(call, { timeoutMs: 50 });
  rig.clock.advance(49);
  assert.deepEqual(await codes(asked), [undefined]);
  rig.clock.advance(1);
  await assert.rejects(asked, { code: "TIMEOUT", message: "This call was not answered within 50 ms." });
  assert.equal(wire.last("cancel").id, wire.last("call").id);
  assert.equal(rig.requests.settle({ type: "reply", id: wire.last("call").id, data: 1 }), false);
});

test("what is no call is given up without a word", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const asked = rig.requests.request(auth, { timeoutMs: 1 });
  rig.clock.advance(1);
  assert.deepEqual(await codes(asked), ["TIMEOUT"]);
  assert.deepEqual(wire.sent.map(({ type }) => type), ["auth"]);
});

test("the default time is that of the client, and null means the default too", async () => {
  const rig = new Rig({ requestTimeoutMs: 7000 });
  rig.connect();
  const asked = [rig.requests.request(auth), rig.requests.request(auth, { timeoutMs: null })];
  rig.clock.advance(6999);
  assert.deepEqual(await codes(...asked), [undefined, undefined]);
  rig.clock.advance(1);
  assert.deepEqual(await codes(...asked), ["TIMEOUT", "TIMEOUT"]);
});

test("without a limit a request waits as long as its connection lives", async () => {
  const rig = new Rig();
  rig.connect();
  const asked = rig.requests.request(auth, { timeoutMs: Infinity });
  assert.equal(rig.clock.pending, 0);
  rig.lose();
  assert.deepEqual(await codes(asked), ["OUTCOME_UNKNOWN"]);
});

for (const timeoutMs of [0, -5]) {
  test(`a time of ${timeoutMs} fails at once and sends nothing`, async () => {
    const rig = new Rig();
    const wire = rig.connect();
    await assert.rejects(rig.requests.request(call, { timeoutMs }), { code: "TIMEOUT" });
    assert.deepEqual(wire.sent, []);
  });
}

for (const timeoutMs of [NaN, "5"]) {
  test(`a time of ${typeof timeoutMs} ${timeoutMs} is refused by its field`, async () => {
    const rig = new Rig();
    rig.connect();
    const error = { code: "INVALID_MESSAGE", field: "timeoutMs" };
    await assert.rejects(rig.requests.request(call, { timeoutMs }), error);
  });
}

test("a request given up by its signal rejects with the reason, and leaves no timer", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const controller = new AbortController();
  const asked = rig.requests.request(call, { signal: controller.signal });
  controller.abort();
  await assert.rejects(asked, { name: "AbortError" });
  assert.equal(wire.last("cancel").id, wire.last("call").id);
  assert.equal(rig.clock.pending, 0);
});

test("a signal aborted before sends nothing, and one aborted after the answer changes nothing", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  await assert.rejects(rig.requests.request(call, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.deepEqual(wire.sent, []);
  const controller = new AbortController();
  const asked = rig.requests.request(call, { signal: controller.signal });
  rig.say({ type: "reply", id: wire.last("call").id, data: 1 });
  controller.abort();
  assert.equal((await asked).data, 1);
  assert.deepEqual(wire.of("cancel"), []);
});

test("a request over the limit of the broker is not sent, and is no longer waited for", async () => {
  const rig = new Rig();
  const wire = rig.connect({ limits: { max_message_bytes: 100 } });
  const asked = rig.requests.request({ ...call, params: "ü".repeat(50) });
  await assert.rejects(asked, { code: "MESSAGE_TOO_LARGE" });
  assert.deepEqual(wire.sent, []);
  assert.equal(rig.clock.pending, 0);
});

test("a message of exactly the limit passes, counted in bytes", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const size = Buffer.byteLength('{"type":"call","id":1,"method":"m","params":"üüü"}');
  rig.core.welcome.limits.max_message_bytes = size;
  const asked = rig.requests.request({ ...call, params: "üüü" });
  assert.equal(wire.of("call").length, 1);
  await assert.rejects(rig.requests.request({ ...call, params: "üüüx" }), { code: "MESSAGE_TOO_LARGE" });
  rig.lose();
  assert.deepEqual(await codes(asked), ["OUTCOME_UNKNOWN"]);
});

test("so many requests may wait for their answers, and one more is refused", async () => {
  const rig = new Rig();
  const wire = rig.connect();
  const ask = () => rig.requests.request(auth, { timeoutMs: Infinity });
  const asked = Array.from({ length: MAX_PENDING }, ask);
  await assert.rejects(rig.requests.request(auth), { code: "LIMIT_EXCEEDED", message: /At most 10000/ });
  rig.ack(wire.sent[0]);
  asked.push(ask());
  assert.equal(wire.sent.length, MAX_PENDING + 1);
  rig.lose();
  assert.deepEqual([...new Set(await codes(...asked.slice(1)))], ["OUTCOME_UNKNOWN"]);
});

test("an asker hears of its answer before what the broker sent behind it is looked at", () => {
  const rig = new Rig();
  const wire = rig.connect();
  const heard = [];
  rig.requests.ask(call, {
    answer: ({ data }) => {
      heard.push(data);
      return true;
    },
    lost: () => heard.push("lost"),
  });
  rig.say({ type: "reply", id: wire.last("call").id, data: 1 });
  assert.deepEqual(heard, [1]);
  rig.lose();
  assert.deepEqual(heard, [1], "the last answer has come");
});

test("an answer that nobody waits for is handed to the others, and is else ignored", () => {
  const rig = new Rig();
  rig.connect();
  assert.equal(rig.requests.settle({ type: "ack", id: 77 }), false);
  rig.requests.also(({ id }) => id === 77);
  assert.equal(rig.requests.settle({ type: "ack", id: 77 }), true);
});
