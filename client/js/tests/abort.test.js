import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { onAbort } from "../src/abort.js";

const listeners = (signal) => getEventListeners(signal, "abort").length;

test("all who wait hear of it, in their order, by one listener", () => {
  const controller = new AbortController();
  const heard = [];
  for (let number = 0; number < 50; number += 1) onAbort(controller.signal, () => heard.push(number));
  assert.equal(listeners(controller.signal), 1);
  controller.abort();
  controller.abort();
  assert.deepEqual(heard, Array.from({ length: 50 }, (_, place) => place));
});

test("who took it back hears nothing, and the last one takes the listener along", () => {
  const controller = new AbortController();
  const heard = [];
  const hear = () => heard.push("heard");
  const offs = [onAbort(controller.signal, hear), onAbort(controller.signal, hear)];
  offs[0]();
  offs[0]();
  assert.equal(listeners(controller.signal), 1);
  offs[1]();
  assert.equal(listeners(controller.signal), 0);
  controller.abort();
  assert.deepEqual(heard, []);
});

test("a signal that nobody waited for any more can be waited for again", () => {
  const controller = new AbortController();
  let heard = 0;
  onAbort(controller.signal, () => (heard += 100))();
  onAbort(controller.signal, () => (heard += 1));
  controller.abort();
  assert.equal(heard, 1);
});

test("what is taken back while others are told is not called any more", () => {
  const controller = new AbortController();
  const heard = [];
  const offs = [];
  offs.push(onAbort(controller.signal, () => {
    heard.push("first");
    for (const off of offs) off();
  }));
  offs.push(onAbort(controller.signal, () => heard.push("second")));
  controller.abort();
  assert.deepEqual(heard, ["first"]);
  assert.equal(listeners(controller.signal), 0);
});

test("without a signal nothing is heard, and taking it back is harmless", () => {
  const off = onAbort(undefined, () => assert.fail("nobody aborted anything"));
  off();
  off();
});
