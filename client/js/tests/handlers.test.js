import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError } from "../src/callrecord.js";
import { MAX_CALLS } from "../src/handlers.js";
import { Disconnected } from "../src/protocol/errors.js";
import { codes, outcomes, Rig, turn } from "./rig.js";

/** A client that handles a method `m` with this function, registered. */
async function handling(run, options) {
  const rig = new Rig();
  rig.connect();
  const handler = rig.handlers.handle("m", run, options);
  registered(rig);
  await handler.ready;
  rig.wire.sent.length = 0;
  return { rig, handler, wire: rig.wire };
}

function registered(rig) {
  rig.say({ type: "reply", id: rig.wire.last("call").id, data: [] });
}

function call(rig, id, more = {}) {
  rig.say({ type: "call", id, method: "m", deadline: rig.clock.date() + 5000, ...more });
}

/** A promise and what settles it. */
function gate() {
  let open;
  const passed = new Promise((resolve) => (open = resolve));
  return { passed, open };
}

async function answers(wire) {
  await turn();
  return wire.sent;
}

// ---- answers

test("what a function returns is the answer", async () => {
  const { rig, wire } = await handling(async (params, made) => [
    params.name,
    made.method,
    made.caller,
    made.leftMs,
    made.signal.aborted,
  ]);
  call(rig, "b:1", { params: { name: "Ada" }, from: "alice" });
  const data = ["Ada", "m", "alice", 5000, false];
  assert.deepEqual(await answers(wire), [{ type: "reply", id: "b:1", data }]);
});

test("a plain function answers too, no parameters are null, and no answer is null", async () => {
  const seen = [];
  const { rig, wire } = await handling((params, { caller }) => {
    seen.push(params, caller);
  });
  call(rig, "b:1");
  assert.deepEqual(await answers(wire), [{ type: "reply", id: "b:1", data: null }]);
  assert.deepEqual(seen, [null, null]);
});

test("a deadline that has passed leaves no time", async () => {
  const { rig, wire } = await handling((_, made) => made.leftMs);
  call(rig, "b:1", { deadline: 5 });
  assert.equal((await answers(wire))[0].data, 0);
});

test("a list and a text are one answer", async () => {
  const { rig, wire } = await handling((params) => params);
  call(rig, "b:1", { params: [1, 2] });
  call(rig, "b:2", { params: "ab" });
  assert.deepEqual((await answers(wire)).map(({ data }) => data), [[1, 2], "ab"]);
});

for (const [kind, run] of [
  ["an async generator", async function* () { yield* [1, undefined]; }],
  ["a generator", function* () { yield* [1, undefined]; }],
]) {
  test(`${kind} streams its replies`, async () => {
    const { rig, wire } = await handling(run);
    call(rig, "b:1");
    while (!(await answers(wire)).at(-1)?.end);
    assert.deepEqual(wire.sent, [
      { type: "reply", id: "b:1", data: 1, more: true },
      { type: "reply", id: "b:1", data: null, more: true },
      { type: "reply", id: "b:1", data: null, end: true },
    ]);
  });
}

test("a stream is no faster than the socket", async () => {
  const { rig, wire } = await handling(async function* () {
    yield* [1, 2];
  });
  wire.buffered = 2 * 1024 * 1024;
  call(rig, "b:1");
  await turn();
  rig.clock.advance(10);
  assert.equal((await answers(wire)).length, 1);
  wire.buffered = 0;
  rig.clock.advance(10);
  while (!(await answers(wire)).at(-1)?.end);
  assert.deepEqual(wire.sent.map(({ data }) => data), [1, 2, null]);
  assert.equal(rig.clock.pending, 0);
});

test("a stream that never waits lets others have their turn", async () => {
  const { rig, wire } = await handling(async function* () {
    for (;;) yield 1;
  });
  call(rig, "b:1");
  await turn();
  rig.say({ type: "cancel", id: "b:1" });
  await turn();
  const said = wire.sent.length;
  await turn();
  assert.equal(wire.sent.length, said);
});

// ---- errors

test("an error of a handler's own keeps its code and what belongs to it", async () => {
  const { rig, wire } = await handling(() => {
    const parts = { details: { left: 0 }, field: "item", retryAfterMs: 5 };
    throw new CallError("OUT_OF_STOCK", "None left.", parts);
  });
  call(rig, "b:1");
  assert.deepEqual(await answers(wire), [
    {
      type: "error",
      id: "b:1",
      code: "OUT_OF_STOCK",
      message: "None left.",
      field: "item",
      retry_after_ms: 5,
      details: { left: 0 },
    },
  ]);
  assert.deepEqual(rig.reports, []);
});

test("an error of its own in the middle of a stream ends it", async () => {
  const { rig, wire } = await handling(async function* () {
    yield 1;
    throw new CallError("ENOUGH");
  });
  call(rig, "b:1");
  await turn();
  const said = await answers(wire);
  assert.deepEqual(said.map(({ type, code }) => code ?? type), ["reply", "ENOUGH"]);
  assert.equal(said[1].message, "The handler answered ENOUGH.");
});

test("whatever else it throws is told here and not to the caller", async () => {
  const { rig, wire } = await handling(() => {
    throw new Error("the secret");
  });
  call(rig, "b:1");
  const failure = { type: "error", id: "b:1", code: "HANDLER_FAILED", message: "The handler failed." };
  assert.deepEqual(await answers(wire), [failure]);
  assert.deepEqual(rig.reports.map(({ message }) => message), ["the secret"]);
});

for (const [what, run] of [
  ["an answer", () => 1n],
  ["a reply of a stream", async function* () { yield 1n; }],
  ["details of an error", () => { throw new CallError("C", "", { details: 1n }); }],
]) {
  test(`${what} that JSON cannot hold is a failure of the handler`, async () => {
    const { rig, wire } = await handling(run);
    call(rig, "b:1");
    assert.deepEqual((await answers(wire)).map(({ code }) => code), ["HANDLER_FAILED"]);
    assert.equal(rig.reports.length, 1);
  });
}

test("an answer over the limit fails its call and nothing else", async () => {
  const { rig, wire } = await handling((params) => "x".repeat(params));
  rig.core.welcome.limits.max_message_bytes = 1000;
  call(rig, "b:1", { params: 2000 });
  call(rig, "b:2", { params: 1 });
  const said = await answers(wire);
  assert.deepEqual(said.map(({ code, data }) => code ?? data), ["MESSAGE_TOO_LARGE", "x"]);
});

test("a stream is left at a reply over the limit", async () => {
  const left = gate();
  const { rig, wire } = await handling(async function* () {
    try {
      for (;;) yield "x".repeat(2000);
    } finally {
      left.open();
    }
  });
  rig.core.welcome.limits.max_message_bytes = 1000;
  call(rig, "b:1");
  await left.passed;
  assert.deepEqual((await answers(wire)).map(({ code }) => code), ["MESSAGE_TOO_LARGE"]);
});

test("an error needs a code", () => {
  assert.throws(() => new CallError(""), TypeError);
});

// ---- cancelling, and too much

test("a cancelled call is told by its signal, and its answer is for nobody", async () => {
  const { passed, open } = gate();
  let signal;
  const { rig, wire } = await handling(async (_, made) => {
    signal = made.signal;
    await passed;
  });
  call(rig, "b:1");
  rig.say({ type: "cancel", id: "b:1" });
  assert.equal(signal.aborted, true);
  open();
  assert.deepEqual(await answers(wire), []);
  rig.say({ type: "cancel", id: "b:1" });
  rig.say({ type: "cancel", id: "b:unknown" });
});

test("what a function throws because it was cancelled is no failure", async () => {
  const { rig, wire } = await handling(
    (_, { signal }) => new Promise((_resolve, reject) => (signal.onabort = () => reject(signal.reason))),
  );
  call(rig, "b:1");
  rig.say({ type: "cancel", id: "b:1" });
  assert.deepEqual(await answers(wire), []);
  assert.deepEqual(rig.reports, []);
});

test("a cancelled generator is left at its next reply", async () => {
  const left = gate();
  const goOn = gate();
  const { rig, wire } = await handling(async function* () {
    try {
      await goOn.passed;
      yield 1;
      yield 2;
    } finally {
      left.open();
    }
  });
  call(rig, "b:1");
  rig.say({ type: "cancel", id: "b:1" });
  goOn.open();
  await left.passed;
  assert.deepEqual(await answers(wire), []);
});

test("an option that there is not is refused at once", () => {
  const { handlers } = new Rig();
  const refusal = { code: "INVALID_MESSAGE", field: "maxCall" };
  assert.throws(() => handlers.handle("m", () => 1, { maxCall: 1 }), refusal);
});

test("more calls than a handler takes at once are unavailable", async () => {
  const { passed, open } = gate();
  const { rig, wire } = await handling(() => passed, { maxCalls: 1 });
  call(rig, "b:1");
  call(rig, "b:2");
  assert.deepEqual((await answers(wire)).map(({ id, code }) => [id, code]), [["b:2", "UNAVAILABLE"]]);
  open("done");
  assert.equal((await answers(wire)).at(-1).data, "done");
  call(rig, "b:3");
  assert.deepEqual((await answers(wire)).at(-1), { type: "reply", id: "b:3", data: "done" });
});

test("unless it says otherwise a handler takes a hundred at once", async () => {
  for (const [options, taken] of [
    [undefined, MAX_CALLS],
    [{ maxCalls: 0 }, 0],
    [{ maxCalls: null }, MAX_CALLS + 1],
    [{ maxCalls: Infinity }, MAX_CALLS + 1],
  ]) {
    const { passed } = gate();
    let running = 0;
    const { rig } = await handling(() => {
      running += 1;
      return passed;
    }, options);
    for (let number = 0; number <= MAX_CALLS; number += 1) call(rig, `b:${number}`);
    await turn();
    assert.equal(running, taken);
  }
});

test("a cancelled call that goes on still counts among those that run", async () => {
  const { passed } = gate();
  const { rig, wire } = await handling(() => passed, { maxCalls: 1 });
  call(rig, "b:1");
  rig.say({ type: "cancel", id: "b:1" });
  call(rig, "b:2");
  assert.deepEqual((await answers(wire)).map(({ code }) => code), ["UNAVAILABLE"]);
});

test("a method that this client does not handle is not found", async () => {
  const { rig, wire } = await handling(() => 1);
  rig.say({ type: "call", id: "b:1", method: "other", deadline: 5 });
  assert.deepEqual(wire.sent.map(({ id, code }) => [id, code]), [["b:1", "METHOD_NOT_FOUND"]]);
});

// ---- registering

test("a handler is registered at once, or when there is a connection", async () => {
  const rig = new Rig();
  const handler = rig.handlers.handle("m", () => 1);
  assert.deepEqual(await outcomes(handler.ready), [undefined]);
  rig.connect();
  const { id, ...message } = rig.wire.last("call");
  assert.deepEqual(message, { type: "call", method: "rpc.register", params: { methods: ["m"] } });
  assert.equal(handler.isRegistered, false);
  rig.say({ type: "reply", id, data: ["m"] });
  await handler.ready;
  assert.equal(handler.isRegistered, true);
});

test("one client handles a method once", async () => {
  const { rig } = await handling(() => 1);
  assert.throws(() => rig.handlers.handle("m", () => 2), { code: "CONFLICT", field: "method" });
});

test("what is no function is refused, and what is no limit", () => {
  const { handlers } = new Rig();
  assert.throws(() => handlers.handle("m", "f"), { code: "INVALID_MESSAGE", field: "handler" });
  for (const maxCalls of [-1, NaN, "5"]) {
    const error = { code: "INVALID_MESSAGE", field: "maxCalls" };
    assert.throws(() => handlers.handle("m", () => 1, { maxCalls }), error);
  }
});

test("a refused registration is thrown and told, and asked again on the next connection", async () => {
  const rig = new Rig();
  rig.connect();
  const handler = rig.handlers.handle("lock.mine", () => 1);
  rig.refuse(rig.wire.last("call"), "PERMISSION_DENIED");
  await assert.rejects(handler.ready, { code: "PERMISSION_DENIED" });
  assert.deepEqual(rig.reports.map(({ code }) => code), ["PERMISSION_DENIED"]);
  rig.lose();
  rig.connect();
  assert.deepEqual(await outcomes(handler.ready), [undefined]);
  registered(rig);
  await handler.ready;
});

test("a refusal that nobody looks at is no unhandled rejection", async () => {
  const rig = new Rig();
  rig.connect();
  rig.handlers.handle("m", () => 1);
  rig.refuse(rig.wire.last("call"), "UNAVAILABLE");
  await turn();
});

test("a name as long as no message is refused like one of the broker", async () => {
  const rig = new Rig();
  rig.connect({ limits: { max_message_bytes: 300 } });
  const handler = rig.handlers.handle("m".repeat(400), () => 1);
  await assert.rejects(handler.ready, { code: "MESSAGE_TOO_LARGE" });
  assert.equal(rig.reports.length, 1);
});

test("handlers are registered again after a reconnect, and what ran is cancelled", async () => {
  const { passed, open } = gate();
  let signal;
  const { rig, handler, wire } = await handling((_, made) => {
    signal = made.signal;
    return passed;
  });
  call(rig, "b:1");
  rig.lose();
  assert.equal(signal.aborted, true);
  assert.equal(handler.isRegistered, false);
  rig.connect();
  open("late");
  assert.deepEqual((await answers(rig.wire)).map(({ method }) => method), ["rpc.register"]);
  assert.deepEqual(wire.sent, []);
  registered(rig);
  await handler.ready;
});

test("a call of another broker may have the id of one that was cancelled", async () => {
  const gates = [gate(), gate()];
  const signals = [];
  const { rig } = await handling((_, { signal }) => gates[signals.push(signal) - 1].passed);
  call(rig, "b:1");
  rig.lose();
  rig.connect();
  registered(rig);
  call(rig, "b:1");
  gates[0].open("old");
  await turn();
  rig.say({ type: "cancel", id: "b:1" });
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true, true]);
  gates[1].open("new");
  assert.deepEqual((await answers(rig.wire)).map(({ method }) => method), ["rpc.register"]);
});

test("a handler that is taken away gets no more calls, and what runs goes on", async () => {
  const { passed, open } = gate();
  const { rig, handler, wire } = await handling(() => passed);
  call(rig, "b:1");
  handler.close();
  handler.close();
  assert.deepEqual(wire.sent.map(({ method }) => method), ["rpc.unregister"]);
  assert.equal(handler.isRegistered, false);
  await assert.rejects(handler.ready, { code: "CANCELLED" });
  call(rig, "b:2");
  open("done");
  const said = (await answers(wire)).slice(1);
  assert.deepEqual(said.map(({ id, code, data }) => [id, code ?? data]), [
    ["b:2", "METHOD_NOT_FOUND"],
    ["b:1", "done"],
  ]);
});

test("a late answer to a handler that was taken away is not for the next of its name", async () => {
  const rig = new Rig();
  rig.connect();
  const first = rig.handlers.handle("m", () => 1);
  const asked = rig.wire.last("call");
  first.close();
  const second = rig.handlers.handle("m", () => 2);
  rig.say({ type: "reply", id: asked.id, data: ["m"] });
  assert.equal(second.isRegistered, false);
  registered(rig);
  assert.equal(second.isRegistered, true);
});

test("the end of the client ends its handlers", async () => {
  const { rig, handler } = await handling(() => 1);
  const reason = new Disconnected("The login was revoked.");
  rig.core.wire = null;
  rig.core.end(reason);
  await assert.rejects(handler.ready, reason);
  handler.close();
});

// ---- finishing

test("finishing takes no more calls and lets those that run come to their end", async () => {
  const { passed, open } = gate();
  const { rig, wire } = await handling(() => passed);
  call(rig, "b:1");
  const finished = rig.handlers.finish(5000).then(() => "finished");
  assert.deepEqual(await outcomes(finished), [undefined]);
  call(rig, "b:2");
  assert.equal(wire.sent.at(-1).code, "METHOD_NOT_FOUND");
  open("done");
  assert.deepEqual(await outcomes(finished), ["finished"]);
  assert.equal(wire.sent.at(-1).data, "done");
  assert.equal(rig.clock.pending, 0);
});

test("who does not come to an end in time is cancelled", async () => {
  const { passed } = gate();
  let signal;
  const { rig } = await handling((_, made) => {
    signal = made.signal;
    return passed;
  });
  call(rig, "b:1");
  const finished = rig.handlers.finish(5000);
  rig.clock.advance(4999);
  assert.equal(signal.aborted, false);
  rig.clock.advance(1);
  await finished;
  assert.equal(signal.aborted, true);
});

test("finishing is over at once where nothing runs, and when the connection is lost", async () => {
  const { passed } = gate();
  const { rig } = await handling(() => passed);
  call(rig, "b:1");
  const finished = rig.handlers.finish(5000);
  rig.lose();
  await finished;
  await rig.handlers.finish(5000);
  assert.equal(rig.clock.pending, 0);
});

test("what comes when the connection is gone is for nobody", async () => {
  const { rig, wire } = await handling(() => codes());
  rig.lose();
  call(rig, "b:1");
  assert.deepEqual(await answers(wire), []);
});
