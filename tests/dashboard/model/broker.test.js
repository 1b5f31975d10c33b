import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connect, SwarmChannel } from "../../../broker/sdk/swarmwire.js";
import { Nursery, token } from "../../../client/js/tests/broker.js";
import { Page } from "./page.js";

/** @type {Nursery} */
let nursery;
before(() => void (nursery = new Nursery()));
after(() => nursery.close());

/** @typedef {import("../../../broker/dashboard/model/slices.js").Slices} Slices */

const LIST = { offset: 0, limit: 50 };
const WANTS = { agents: LIST, topics: { ...LIST, open: [] }, topic: { path: "agent.a1.status" } };

/** @param {Slices} told */
function isLive({ status }) {
  return status.phase === "ready" && status.live;
}

/**
 * A broker and a page for one test, that end with it.
 * @param {import("node:test").TestContext} t
 * @param {Parameters<Nursery["broker"]>[0]} [wanted]
 */
async function stage(t, wanted) {
  const broker = await nursery.broker(wanted).start();
  const page = new Page();
  t.after(async () => {
    page.close();
    await broker.kill();
  });
  return { broker, page, url: broker.url("ws") };
}

/** A client that ends with the test. @param {import("node:test").TestContext} t @param {string} url */
async function member(t, url) {
  const client = await connect(url, { name: "reader" });
  t.after(() => client.disconnect());
  return client;
}

/** @param {string} url @param {[string, unknown][]} events */
async function publish(url, ...events) {
  const client = await connect(url);
  for (const [topic, data] of events) await client.publish(topic, data);
  await client.disconnect();
}

test("the page opens with the last values and shows what comes", async (t) => {
  const { page, url } = await stage(t);
  await publish(url, ["agent.a1.status", { status: "idle" }], ["agent.a1.status", { status: "busy", message: "one" }]);
  page.open(url, null, WANTS);
  const opened = await page.until((told) => isLive(told) && told.agents?.total === 1);
  assert.deepEqual([opened.agents.rows[0].message, opened.status.seen], ["one", 1]);
  await publish(url, ["agent.a1.status", { status: "busy", message: "two" }], ["x.y", 1]);
  const told = await page.until(({ topics }) => topics.topics === 2);
  assert.equal(told.agents.rows[0].message, "two");
  assert.equal(told.status.identity?.subject.startsWith("anonymous:"), true);
});

test("a broker that kept nothing is read anew, and the page shows nothing of before", async (t) => {
  const { broker, page, url } = await stage(t);
  await publish(url, ["agent.old.status", { status: "idle" }]);
  page.open(url, null, WANTS);
  await page.until((told) => isLive(told) && told.agents?.total === 1);
  await broker.kill();
  const down = await page.until(({ status }) => status.phase === "reconnecting" && status.retryAtMs !== null);
  assert.ok(down.status.attempt >= 1 && down.status.error !== null);
  await broker.start();
  await publish(url, ["agent.new.status", { status: "busy" }]);
  const told = await page.until((slices) => isLive(slices) && slices.agents.rows[0]?.id === "new");
  assert.deepEqual([told.agents.total, told.status.gaps[0].reason], [1, "epoch"]);
});

test("a broker with its log on disk goes on where it was", async (t) => {
  const { broker, page, url } = await stage(t, { data: true });
  await publish(url, ["agent.old.status", { status: "idle" }]);
  page.open(url, null, WANTS);
  await page.until((told) => isLive(told) && told.agents?.total === 1);
  await broker.kill();
  await page.until(({ status }) => status.phase === "reconnecting");
  await broker.start();
  await publish(url, ["agent.new.status", { status: "busy" }]);
  const told = await page.until(({ agents }) => agents.total === 2);
  assert.equal(told.status.gapCount, 0);
});

test("a broker with a login asks for a token, tells a wrong one, and again when it has expired", async (t) => {
  const { page, url } = await stage(t, { login: true });
  page.open(url);
  assert.equal((await page.until(({ status }) => status.phase === "login")).status.error, null);
  page.open(url, "wrong");
  const refused = await page.until(({ status }) => status.phase === "login" && status.error !== null);
  assert.equal(refused.status.error?.code, "AUTHENTICATION_FAILED");
  page.open(url, token({ lifeMs: 6000, permissions: { subscribe: ["a.#"] } }));
  const ready = await page.until(isLive);
  assert.deepEqual([ready.status.may.publish, ready.status.identity?.subscribe], [false, ["a.#"]]);
  const expired = await page.until(({ status }) => status.phase === "login");
  assert.equal(expired.status.error?.code, "TOKEN_EXPIRED");
});

test("every vote of a swarm is seen, and those from before the page was opened", async (t) => {
  const { page, url } = await stage(t);
  const client = await member(t, url);
  const swarm = new SwarmChannel(client);
  const voters = ["a", "b", "c", "d"];
  const { proposalId } = await swarm.propose("s1", { deploy: 2 }, { voters, quorum: "unanimous" });
  for (const voter of voters.slice(0, 2)) await swarm.vote("s1", proposalId, "yes", voter);
  page.open(url, null, { swarms: { selected: "s1" } });
  await page.until(({ swarms }) => swarms?.detail?.proposals[0]?.votes.length === 2);
  for (const voter of voters.slice(2)) await swarm.vote("s1", proposalId, "yes", voter);
  const told = await page.until(({ swarms }) => swarms.detail?.proposals[0].result);
  assert.deepEqual(told.swarms.detail?.proposals[0].result, { accepted: true, votesFor: 4, votesAgainst: 0, abstentions: 0 });
});

test("clients are listed with what they read, and the broker's figures come", async (t) => {
  const { page, url } = await stage(t);
  const client = await member(t, url);
  await client.subscribe("a.#").ready;
  page.open(url, null, { overview: {}, clients: { ...LIST, selected: client.id } });
  const told = await page.until(({ clients, overview }) => clients?.detail?.rows?.length && overview?.series !== null);
  assert.deepEqual([told.clients.detail?.name, told.clients.detail?.rows?.[0].pattern], ["reader", "a.#"]);
  assert.equal(told.overview.gauges.connections, 2);
});
