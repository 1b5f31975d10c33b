import assert from "node:assert/strict";
import { test } from "node:test";

import { ClientList } from "../../../broker/dashboard/model/clientlist.js";
import { HandClock, settled } from "./events.js";

/** @param {number} count */
function listOf(count) {
  const clock = new HandClock();
  /** @type {[string, any][]} */
  const asked = [];
  const all = Array.from({ length: count }, (_, index) => ({
    client_id: `c${index}`, name: `client ${count - index}`, subject: "ops", transport: "unix", subscriptions: index, lag: index,
    queue_bytes: 0, catching_up: false, connected_at: 1,
  }));
  const ask = async (/** @type {string} */ method, /** @type {any} */ params) => {
    asked.push([method, params]);
    if (method === "subscription.list") return { count: 1, subscriptions: [{ sub: "x", pattern: "a.#", mode: "all", live: true, more: 1 }] };
    return { count, clients: all.slice(params.offset, params.offset + params.limit) };
  };
  /** @type {{query: any}} */
  const page = { query: { offset: 0, limit: 10 } };
  const list = new ClientList(ask, () => page.query, clock);
  return { list, page, asked, clock };
}

test("all clients are asked for, a thousand at a time", async () => {
  const { list, asked } = listOf(2500);
  list.start();
  await settled();
  assert.deepEqual(asked.map(([, { offset }]) => offset), [0, 1000, 2000]);
  assert.equal(list.slice({ offset: 2500, limit: 2 }, 0).offset, 2498);
  const { total, all, rows } = list.slice({ offset: 0, limit: 2, sort: "-lag" }, 0);
  assert.deepEqual([total, all, rows.map(({ client_id: id }) => id)], [2500, 2500, ["c2499", "c2498"]]);
});

test("the selected one is told with its subscriptions", async () => {
  const { list, page } = listOf(3);
  page.query = { offset: 0, limit: 10, selected: "c1" };
  list.start();
  await settled();
  const { detail } = list.slice(page.query, 0);
  assert.equal(detail?.name, "client 2");
  assert.deepEqual(detail?.rows, [{ sub: "x", pattern: "a.#", mode: "all", live: true }]);
  assert.equal(list.slice({ ...page.query, selected: "c2" }, 0).detail?.rows, null);
});

test("clients are found by name, subject and id", async () => {
  const { list } = listOf(3);
  list.start();
  await settled();
  const found = (/** @type {string} */ filter) => list.slice({ filter, offset: 0, limit: 10 }, 0).total;
  assert.deepEqual([found("client 2"), found("ops"), found("c0"), found("nobody")], [1, 3, 1, 0]);
});

test("nothing is asked while nobody looks", async () => {
  const { list, page, asked } = listOf(3);
  page.query = undefined;
  list.start();
  await settled();
  assert.deepEqual([asked.length, list.count], [0, null]);
});
