import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed } from "../../../broker/dashboard/feed.js";

function feed() {
  /** @type {any[]} */
  const posted = [];
  /** @type {(event: {data: any}) => void} */
  let listener = () => {};
  const worker = {
    postMessage: (/** @type {any} */ message) => void posted.push(message),
    addEventListener: (/** @type {string} */ _, /** @type {any} */ fn) => void (listener = fn),
    terminate: () => {},
  };
  /** @type {(() => void)[]} */
  const waiting = [];
  const made = new Feed(worker, (fn) => void waiting.push(fn));
  const frame = () => waiting.splice(0).forEach((fn) => fn());
  return { feed: made, posted, tell: (/** @type {any} */ data) => listener({ data }), frame };
}

test("what is wanted is asked once a frame, and again only after the answer", () => {
  const { feed: page, posted, tell, frame } = feed();
  page.want("topic", { path: "a" });
  assert.equal(posted.length, 0);
  frame();
  frame();
  assert.deepEqual(posted, [{ do: "frame", wants: { status: {}, topic: { path: "a" } } }]);
  tell({ is: "frame", slices: {} });
  frame();
  assert.equal(posted.length, 2);
});

test("something else is asked in the next frame, without waiting for the answer", () => {
  const { feed: page, posted, frame } = feed();
  frame();
  page.want("topic", { path: "b" });
  page.want("status", null);
  frame();
  assert.deepEqual(posted.at(-1).wants, { topic: { path: "b" } });
});

test("new slices reach who listens, until he does not any more", () => {
  const { feed: page, tell } = feed();
  /** @type {any[]} */
  const heard = [];
  const off = page.on("status", (slice) => void heard.push(slice.phase));
  tell({ is: "frame", slices: { status: { phase: "ready" } } });
  assert.equal(page.phase, "ready");
  off();
  tell({ is: "frame", slices: { status: { phase: "login" } } });
  assert.deepEqual([heard, page.phase], [["ready"], "login"]);
});

test("a call is answered or refused", async () => {
  const { feed: page, posted, tell } = feed();
  const good = page.call("m", { x: 1 });
  const bad = page.publish("a..b", null);
  assert.deepEqual(posted[0], { do: "call", id: 1, method: "m", params: { x: 1 }, options: undefined });
  tell({ is: "answer", id: 2, error: { code: "INVALID_TOPIC", message: "No.", field: "topic" } });
  tell({ is: "answer", id: 1, data: 5 });
  assert.equal(await good, 5);
  await assert.rejects(bad, { code: "INVALID_TOPIC", message: "No.", field: "topic" });
});
