import assert from "node:assert/strict";
import { test } from "node:test";

import { Model } from "../../../broker/dashboard/model/model.js";
import { event } from "./events.js";

/** JSON that cannot be made a text of. */
const TEXTLESS = { toString: 1, valueOf: 1 };

/** @param {[string, unknown, object?][]} events */
function agentsOf(...events) {
  const model = new Model(0, { agents: 10 });
  for (const [topic, data, more] of events) model.take(event(topic, data, more), true);
  const slice = (/** @type {object} */ query = {}, now = 0) => model.agents.slice({ offset: 0, limit: 50, ...query }, now);
  return { model, slice };
}

test("an agent's row is what its channel last said", () => {
  const { slice } = agentsOf(
    ["agent.a%2E1.status", { agentId: "a.1", status: "busy", message: "reading" }],
    ["agent.a%2E1.health", { healthy: true, metrics: { cpu: 12, memory: 34 } }],
  );
  const { total, byStatus, rows: [row] } = slice();
  assert.equal(total, 1);
  assert.deepEqual(byStatus, { busy: 1 });
  assert.deepEqual(
    [row.id, row.status, row.message, row.healthy, row.cpu, row.memory, row.being],
    ["a.1", "busy", "reading", true, 12, 34, null],
  );
  assert.ok(row.sinceMs !== null && row.sinceMs < row.tsMs);
});

test("its status over time is kept where it changed, and its health each time", () => {
  const said = (/** @type {string} */ status) => /** @type {[string, unknown]} */ (["agent.a.status", { status }]);
  const { slice } = agentsOf(said("idle"), said("busy"), said("busy"), said("idle"), ["agent.a.health", { healthy: false }]);
  const { detail } = slice({ selected: "a" });
  assert.deepEqual(detail?.statuses.map(({ status }) => status), ["idle", "busy", "idle"]);
  assert.deepEqual([detail?.health.healthy, detail?.health.cpu], [[false], [null]]);
});

test("the registry says whether it is there, and what it can do", () => {
  const { model, slice } = agentsOf(
    ["registry.agent.a1", { state: "online", capabilities: ["gpu"], status: "idle", metadata: { host: "n1" } }],
  );
  assert.deepEqual([slice().rows[0].being, slice().rows[0].capabilities, slice().rows[0].status], ["online", ["gpu"], "idle"]);
  assert.equal(slice({ selected: "a1" }).detail?.metadata, '{"host":"n1"}');
  model.take(event("registry.agent.a1", { state: "gone" }, { clear: true }), true);
  assert.equal(slice().rows[0].being, "gone");
  model.take(event("registry.worker.w1", { state: "online" }), true);
  assert.equal(slice({}, 1000).total, 1);
});

test("metrics and log are in the detail, an error and the end in the log", () => {
  const { slice } = agentsOf(
    ["agent.a.started", {}],
    ["agent.a.metrics", { metrics: { throughput: 3, odd: "x" } }],
    ["agent.a.log", { level: "warn", message: "slow" }],
    ["agent.a.error", { error: { message: "broken" } }],
    ["agent.a.stopped", { reason: "done" }],
  );
  const { detail } = slice({ selected: "a" });
  assert.deepEqual(detail?.metrics, { throughput: 3 });
  assert.deepEqual(detail?.log.map(({ level, message }) => [level, message]), [
    ["info", "started"], ["warn", "slow"], ["error", "broken"], ["info", "stopped: done"],
  ]);
  assert.equal(detail?.row.status, "offline");
});

test("agents are filtered by id, message and status, and sorted", () => {
  const { slice } = agentsOf(
    ["agent.b.status", { status: "busy", message: "lint" }],
    ["agent.a.status", { status: "idle" }],
    ["agent.c.status", { status: "strange" }],
    ["agent.a.health", { metrics: { cpu: 9 } }],
  );
  const ids = (/** @type {object} */ query) => slice(query).rows.map(({ id }) => id).join("");
  assert.equal(ids({}), "abc");
  assert.equal(ids({ sort: "-id" }), "cba");
  assert.equal(ids({ sort: "-cpu" })[0], "a");
  assert.equal(ids({ filter: "lint" }), "b");
  assert.equal(ids({ status: "idle" }), "a");
  assert.equal(ids({ status: "other" }), "c");
  assert.deepEqual(slice().byStatus, { busy: 1, idle: 1, other: 1 });
});

test("what is no event of the channel is a topic and no agent", () => {
  const { model } = agentsOf(
    ["agent.a", {}], ["agent.a.dance", {}], ["agent.a.status.more", {}], ["agent.100%.status", { status: "idle" }],
  );
  assert.equal(model.agents.size, 0);
  assert.equal(model.tree.size, 4);
});

test("nothing that an agent sends breaks the page", () => {
  const odd = [null, 7, "text", [], { status: 7, message: {} }, { metrics: null }, { error: [] }, { metadata: 1 }, TEXTLESS,
    { status: TEXTLESS, message: TEXTLESS, level: TEXTLESS, reason: TEXTLESS, error: TEXTLESS, capabilities: [TEXTLESS] }];
  const names = ["status", "health", "metrics", "log", "started", "stopped", "error"];
  const { slice } = agentsOf(...names.flatMap((name) => odd.map((data) => /** @type {[string, unknown]} */ ([`agent.a.${name}`, data]))));
  assert.equal(slice({ selected: "a" }).detail?.id, "a");
});

test("however much an agent tells, no more is kept than is shown", () => {
  const metrics = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${index} ${"m".repeat(500)}`, index]));
  const { slice } = agentsOf(
    ["agent.a.metrics", { metrics }],
    ["agent.a.status", { status: "s".repeat(5000), metadata: { text: "x".repeat(500000) } }],
    ["agent.a.status", { status: "s".repeat(5000) }],
  );
  const { detail } = slice({ selected: "a" });
  const names = Object.keys(detail?.metrics ?? {});
  assert.deepEqual([names.length, Math.max(...names.map((name) => name.length))], [64, 100]);
  assert.equal(detail?.metadata?.length, 65536);
  assert.equal(detail?.statuses.length, 1, "the same status is told once");
});

test("of too many agents those that are gone go first, and are counted no more", () => {
  const { model, slice } = agentsOf(["agent.gone.status", { status: "offline" }]);
  for (let number = 0; number < 10; number += 1) model.take(event(`agent.a${number}.status`, { status: "idle" }), true);
  assert.deepEqual(slice().byStatus, { idle: 10 });
  assert.deepEqual(model.dropped, { agents: 1 });
});

test("the rows say where their window begins", () => {
  const { slice } = agentsOf(
    ["agent.a.status", { status: "busy" }], ["agent.b.status", { status: "busy" }], ["agent.c.status", { status: "busy" }],
  );
  const { offset, total, rows } = slice({ offset: 9, limit: 2 });
  assert.deepEqual([offset, total, rows.map(({ id }) => id)], [1, 3, ["b", "c"]]);
});

test("an agent that was dropped begins anew with its next event", () => {
  const { model, slice } = agentsOf(["agent.a.status", { status: "offline" }]);
  for (let number = 0; number < 10; number += 1) model.take(event(`agent.x${number}.status`, { status: "idle" }), true);
  assert.equal(slice({ selected: "a" }).detail, null);
  model.take(event("agent.a.status", { status: "busy" }), true);
  assert.equal(slice({ selected: "a" }, 1000).detail?.row.status, "busy");
});
