import assert from "node:assert/strict";
import { test } from "node:test";

import { Presence } from "../src/presence.js";
import { FakeWorld } from "./fakebroker.js";

function watched(world) {
  const told = [];
  const presence = new Presence(world);
  presence.watch(() => told.push(presence.online));
  return { presence, told };
}

test("the network's coming and going is told", () => {
  const world = new FakeWorld();
  const { told } = watched(world);
  world.network(false);
  world.network(true);
  assert.deepEqual(told, [false, true]);
});

test("a page tells that it is seen, thawed or brought back, and not that it is hidden", () => {
  const world = new FakeWorld();
  const { told } = watched(world);
  world.show("hidden");
  assert.equal(told.length, 0);
  world.show("visible");
  world.document.dispatchEvent(new Event("resume"));
  world.dispatchEvent(new Event("pageshow"));
  assert.equal(told.length, 3);
});

test("a worker has no page, and Node has nothing to tell", () => {
  const worker = Object.assign(new EventTarget(), { navigator: { onLine: false } });
  assert.equal(watched(worker).presence.online, false);
  const { presence } = watched({});
  assert.equal(presence.online, true);
  presence.close();
});

test("after the end nothing is told, and it ends twice without harm", () => {
  const world = new FakeWorld();
  const { presence, told } = watched(world);
  presence.close();
  presence.close();
  world.network(false);
  world.show("visible");
  assert.deepEqual(told, []);
});
