import assert from "node:assert/strict";
import { test } from "node:test";

import { CLIENT_EVENTS, Emitter } from "../src/emitter.js";
import { turn } from "./rig.js";

test("listeners are called in their order, and the same one as often as it listens", () => {
  const emitter = new Emitter();
  const told = [];
  const first = (detail) => told.push(["first", detail]);
  emitter.listen("pong", first);
  emitter.listen("pong", (detail) => told.push(["second", detail]));
  emitter.listen("pong", first);
  emitter.emit("pong", 1);
  assert.deepEqual(told, [["first", 1], ["second", 1], ["first", 1]]);
});

test("a listener ends alone, and twice without harm", () => {
  const emitter = new Emitter();
  let count = 0;
  const end = emitter.listen("resumed", () => (count += 1));
  emitter.listen("resumed", () => (count += 1));
  end();
  end();
  emitter.emit("resumed", undefined);
  assert.equal(count, 1);
});

test("a listener that fails stops nobody, and is told by error", async () => {
  const emitter = new Emitter();
  const told = [];
  emitter.listen("error", (error) => told.push(error.message));
  emitter.listen("pong", () => {
    throw new Error("at once");
  });
  emitter.listen("pong", () => Promise.reject(new Error("later")));
  emitter.listen("pong", () => told.push("third"));
  emitter.emit("pong", 1);
  await turn();
  assert.deepEqual(told.sort(), ["at once", "later", "third"]);
});

test("a listener of error that fails, and an error that nobody hears, go to the console", async (t) => {
  const error = t.mock.method(console, "error", () => {});
  const warn = t.mock.method(console, "warn", () => {});
  const emitter = new Emitter();
  emitter.report(new Error("unheard"));
  assert.equal(warn.mock.callCount(), 1);
  emitter.listen("error", () => {
    throw new Error("again");
  });
  emitter.report(new Error("heard"));
  await turn();
  assert.equal(error.mock.callCount(), 1);
  assert.equal(warn.mock.callCount(), 1);
});

test("handing over waits for each listener", async () => {
  const emitter = new Emitter();
  const order = [];
  emitter.listen("message", async () => {
    await turn();
    order.push("first");
  });
  emitter.listen("message", () => order.push("second"));
  await emitter.hand("message", 1);
  assert.deepEqual(order, ["first", "second"]);
});

test("a name that is none is refused with those there are", () => {
  const emitter = new Emitter();
  assert.throws(() => emitter.listen("conected", () => {}), (error) => {
    assert.equal(error.code, "INVALID_MESSAGE");
    return CLIENT_EVENTS.every((name) => error.message.includes(name));
  });
});

test("what is no function cannot listen", () => {
  assert.throws(() => new Emitter().listen("gap"), { code: "INVALID_MESSAGE", field: "listener" });
});
