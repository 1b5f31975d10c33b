import assert from "node:assert/strict";
import { test } from "node:test";

import { Incoming } from "../src/incoming.js";
import { turn } from "./rig.js";

/** Takes messages, and presses readers after each if it is told to. */
function receiving({ pressing = false } = {}) {
  const subscriptions = { pressed: false };
  const log = [];
  const take = (text) => {
    log.push(text);
    subscriptions.pressed = pressing;
  };
  const clock = { soon: (fn) => setImmediate(fn) };
  const incoming = new Incoming(clock, subscriptions, { take, drained: () => log.push("drained") });
  return { incoming, log };
}

test("nothing is taken before it is opened, and then all in order", () => {
  const { incoming, log } = receiving();
  incoming.put("a");
  incoming.put("b");
  assert.deepEqual(log, []);
  incoming.open();
  incoming.put("c");
  assert.deepEqual(log, ["a", "b", "drained", "c", "drained"]);
});

test("readers that are pressed get a turn before the next message", async () => {
  const { incoming, log } = receiving({ pressing: true });
  incoming.open();
  log.length = 0;
  for (const text of ["a", "b"]) incoming.put(text);
  log.push("reader");
  assert.deepEqual(log, ["a", "reader"]);
  await turn();
  log.push("reader");
  await turn();
  assert.deepEqual(log, ["a", "reader", "b", "reader", "drained"]);
});

test("patience with readers ends where too much waits", async () => {
  const { incoming, log } = receiving({ pressing: true });
  const large = "x".repeat(3 * 1024 * 1024);
  for (let count = 0; count < 6; count += 1) incoming.put(large);
  incoming.open();
  assert.equal(log.length, 4); // what is left now may wait
  await turn();
  assert.equal(log.length, 5);
});

test("what waits at the end is forgotten, also while readers have their turn", async () => {
  const { incoming, log } = receiving({ pressing: true });
  incoming.open();
  for (const text of ["a", "b"]) incoming.put(text);
  incoming.close();
  await turn();
  assert.deepEqual(log, ["drained", "a"]);
});
