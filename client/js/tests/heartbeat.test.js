import assert from "node:assert/strict";
import { test } from "node:test";

import { Heartbeat, PROBE_MS } from "../src/heartbeat.js";
import { FakeBroker, heard } from "./fakebroker.js";
import { FakeClock } from "./rig.js";

/** A clock whose timers come late, as those of a hidden page do. */
class LateClock {
  time = 0;
  #timers = new Set();
  now = () => this.time;

  after = (ms, fn) => {
    const timer = { at: this.time + ms, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  late(ms) {
    this.time += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.time || !this.#timers.delete(timer)) continue;
      timer.fn();
    }
  }
}

function watched(beatMs = 100, clock = new FakeClock()) {
  const told = { pings: 0, dead: [] };
  const heartbeat = new Heartbeat(clock, { ping: () => (told.pings += 1), dead: (ms) => told.dead.push(ms) });
  heartbeat.start(beatMs);
  return { clock, told, heartbeat };
}

test("two silent beats are the end", () => {
  const { clock, told } = watched();
  clock.advance(199);
  assert.deepEqual(told.dead, []);
  clock.advance(1);
  assert.deepEqual(told.dead, [200]);
  assert.equal(clock.pending, 0);
});

test("whatever is heard counts as life", () => {
  const { clock, told, heartbeat } = watched();
  for (let count = 0; count < 20; count += 1) {
    clock.advance(90);
    heartbeat.heard();
  }
  assert.deepEqual(told.dead, []);
});

test("who says nothing pings once a beat, and who speaks does not", () => {
  const { clock, told, heartbeat } = watched();
  for (let count = 0; count < 20; count += 1) {
    clock.advance(50);
    heartbeat.heard();
    heartbeat.spoke();
  }
  assert.equal(told.pings, 0);
  clock.advance(100);
  assert.equal(told.pings, 1);
});

test("who was held up blames nobody for the silence", () => {
  const { clock, told } = watched(100, new LateClock());
  for (let count = 0; count < 5; count += 1) clock.late(60_000);
  assert.deepEqual(told.dead, []);
  assert.ok(told.pings > 0);
});

test("without a beat nothing is watched", () => {
  const { clock } = watched(0);
  assert.equal(clock.pending, 0);
});

test("a probe asks, and takes silence for the end", () => {
  const { clock, told, heartbeat } = watched(0);
  heartbeat.probe();
  assert.equal(told.pings, 1);
  clock.advance(PROBE_MS);
  assert.deepEqual(told.dead, [PROBE_MS]);
});

test("a probe that is answered is over, and one whose time was held up is asked again", () => {
  const { clock, told, heartbeat } = watched(0, new LateClock());
  heartbeat.probe();
  heartbeat.heard();
  clock.late(PROBE_MS);
  heartbeat.probe();
  clock.late(10 * PROBE_MS);
  assert.equal(told.pings, 3);
  assert.deepEqual(told.dead, []);
});

test("who probes again while an answer is due does not get longer to wait", () => {
  const { clock, told, heartbeat } = watched(0);
  for (let count = 0; count < 5; count += 1) {
    heartbeat.probe();
    clock.advance(PROBE_MS / 5);
  }
  assert.equal(told.pings, 1);
  assert.deepEqual(told.dead, [PROBE_MS]);
});

test("it stops twice without harm", () => {
  const { clock, heartbeat } = watched();
  heartbeat.probe();
  heartbeat.stop();
  heartbeat.stop();
  assert.equal(clock.pending, 0);
});

test("a broker that is silent for two beats is left for another connection", async () => {
  const broker = new FakeBroker();
  broker.welcome = { heartbeat_ms: 1000 };
  const client = await broker.connect();
  const told = heard(client, "disconnected", "reconnecting");
  const silent = broker.last;
  await broker.advance(2000);
  assert.ok(silent.aborted);
  assert.equal(told[0][1].code, 4409);
  assert.equal(told[1][1].error.code, "HEARTBEAT_TIMEOUT");
  await broker.advance(500);
  assert.ok(client.isReady);
  await client.disconnect();
});

test("an idle client shows the broker that it lives", async () => {
  const broker = new FakeBroker();
  broker.welcome = { heartbeat_ms: 1000 };
  const client = await broker.connect();
  await broker.advance(1000);
  assert.equal(broker.last.of("ping").length, 1);
  await client.disconnect();
});
