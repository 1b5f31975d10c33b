import assert from "node:assert/strict";
import { test } from "node:test";

import { Model } from "../../../broker/dashboard/model/model.js";
import { event } from "./events.js";

/** @param {[string, object][]} events */
function tasksOf(...events) {
  const model = new Model(0);
  for (const [topic, data] of events) model.take(event(`task.${topic}`, data), true);
  const slice = (/** @type {object} */ query = {}) => model.tasks.slice({ offset: 0, limit: 50, ...query }, 0);
  return { model, slice, row: () => slice().rows[0] };
}

const CREATED = /** @type {[string, object]} */ (["t1.created", { type: "resize", queue: "images", priority: 3, metadata: { a: 1 } }]);
const ASSIGNED = /** @type {[string, object]} */ (["t1.assigned", { agentId: "w1", attempt: 1, token: 5 }]);

test("a task goes from pending over its progress to its end", () => {
  const { model, row, slice } = tasksOf(CREATED);
  const take = (/** @type {string} */ name, /** @type {object} */ data) => model.take(event(`task.t1.${name}`, data), true);
  assert.deepEqual([row().state, row().type, row().queue], ["pending", "resize", "images"]);
  take("assigned", { agentId: "w1", attempt: 1 });
  take("progress", { progress: 40, message: "half", status: "in-progress" });
  assert.deepEqual([row().state, row().agentId, row().progress, row().message], ["in-progress", "w1", 40, "half"]);
  take("completed", { status: "completed", result: { files: 2 }, duration: 900 });
  assert.deepEqual([row().state, row().progress], ["completed", 100]);
  assert.ok(row().endedMs !== null);
  const { detail, byState } = slice({ selected: "t1" });
  assert.deepEqual(byState, { completed: 1 });
  assert.deepEqual([detail?.result, detail?.durationMs, detail?.priority, detail?.metadata], ['{"files":2}', 900, 3, '{"a":1}']);
});

test("a failure that is tried again is pending with its error, a last one is dead", () => {
  const { model, row, slice } = tasksOf(CREATED, ASSIGNED, ["t1.retrying", { attempt: 1, delay: 500, error: "boom" }]);
  assert.deepEqual([row().state, row().error], ["pending", "boom"]);
  model.take(event("task.t1.failed", { error: { message: "boom again" }, dead: true }), true);
  assert.deepEqual([row().state, row().error, slice({ selected: "t1" }).detail?.dead], ["failed", "boom again", true]);
});

test("a closed task that is resumed is pending and has not ended", () => {
  const { row } = tasksOf(CREATED, ["t1.closed", { reason: "disk full" }], ["t1.resumed", {}]);
  assert.deepEqual([row().state, row().endedMs], ["pending", null]);
});

test("its timeline says what happened, progress after progress as one", () => {
  const { slice } = tasksOf(
    CREATED, ASSIGNED, ["t1.progress", { progress: 10 }], ["t1.progress", { progress: 20, message: "on" }],
    ["t1.message", { message: "hurry" }], ["t1.cancelled", { reason: "enough" }],
  );
  assert.deepEqual(slice({ selected: "t1" }).detail?.timeline.map(({ event: name, text }) => [name, text]), [
    ["created", "resize · images"], ["assigned", "w1 · attempt 1"], ["progress", "20 % · on"], ["message", "hurry"],
    ["cancelled", "enough"],
  ]);
});

test("a task that nobody created is there with its first progress, and stays ended", () => {
  const { model, row } = tasksOf(["t1.progress", { progress: 5 }]);
  assert.deepEqual([row().state, row().createdMs], ["in-progress", null]);
  model.take(event("task.t1.failed", { error: "no" }), true);
  model.take(event("task.t1.progress", { progress: 6 }), true);
  assert.equal(row().state, "failed");
});

test("tasks are filtered by text and state, the newest first", () => {
  const { slice } = tasksOf(CREATED, ["t2.created", { type: "lint" }], ["t2.assigned", { agentId: "w9" }]);
  const ids = (/** @type {object} */ query) => slice(query).rows.map(({ id }) => id).join();
  assert.equal(ids({}), "t2,t1");
  assert.equal(ids({ sort: "created" }), "t1,t2");
  assert.equal(ids({ filter: "resi" }), "t1");
  assert.equal(ids({ filter: "w9" }), "t2");
  assert.equal(ids({ state: "pending" }), "t1");
});

test("the rows say where their window begins", () => {
  const { slice } = tasksOf(CREATED, ["t2.created", {}], ["t3.created", {}]);
  const { offset, total, rows } = slice({ offset: 2, limit: 2 });
  assert.deepEqual([offset, total, rows.map(({ id }) => id)], [1, 3, ["t2", "t1"]]);
});
