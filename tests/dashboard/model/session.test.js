import assert from "node:assert/strict";
import { test } from "node:test";

import { Session } from "../../../broker/dashboard/model/session.js";
import { FakeClient } from "./fakeclient.js";

function world() {
  /** @type {FakeClient[]} */
  const clients = [];
  /** @type {string[]} */
  const told = [];
  const make = (/** @type {string} */ url, /** @type {any} */ options) => {
    const client = new FakeClient(url, options);
    clients.push(client);
    return /** @type {any} */ (client);
  };
  const hooks = {
    connected: () => void told.push("connected"), lost: () => void told.push("lost"), ended: () => void told.push("ended"),
  };
  const session = new Session(make, hooks, { date: () => 1000 });
  return { session, clients, told };
}

/** @param {string} code */
function refusal(code) {
  return Object.assign(new Error("No."), { code });
}

test("it is connecting until the broker says welcome", () => {
  const { session, clients, told } = world();
  assert.equal(session.phase, "login");
  session.connect("ws://b/ws", "t");
  assert.deepEqual([session.phase, clients[0].url, clients[0].options.token], ["connecting", "ws://b/ws", "t"]);
  clients[0].emit("connected");
  assert.deepEqual([session.phase, told], ["ready", ["connected"]]);
});

test("a broker that is down is tried again, with a count and a moment", () => {
  const { session, clients } = world();
  session.connect("ws://b/ws", null);
  clients[0].emit("reconnecting", { attempt: 3, delayMs: 4000, error: refusal("UNAVAILABLE") });
  assert.deepEqual([session.phase, session.attempt, session.retryAtMs, session.error], [
    "reconnecting", 3, 5000, { code: "UNAVAILABLE", message: "No." },
  ]);
  clients[0].emit("connected");
  assert.deepEqual([session.phase, session.attempt, session.retryAtMs, session.error], ["ready", 0, null, null]);
});

test("a lost connection is told before the next attempt", () => {
  const { session, clients, told } = world();
  session.connect("ws://b/ws", null);
  clients[0].emit("connected");
  clients[0].emit("disconnected", { code: 1006, reason: "" });
  assert.deepEqual([session.phase, told], ["reconnecting", ["connected", "lost"]]);
});

test("a token that is refused or expires leads to the login, and is told", () => {
  for (const code of ["AUTHENTICATION_FAILED", "TOKEN_EXPIRED"]) {
    const { session, clients, told } = world();
    session.connect("ws://b/ws", "t");
    clients[0].emit("state", { state: "failed", error: refusal(code) });
    assert.deepEqual([session.phase, session.error?.code, told], ["login", code, ["ended"]]);
  }
});

test("who has no token yet is asked for one without a reproach", () => {
  const { session, clients } = world();
  session.connect("ws://b/ws", null);
  clients[0].emit("state", { state: "failed", error: refusal("AUTHENTICATION_FAILED") });
  assert.deepEqual([session.phase, session.error], ["login", null]);
});

test("whoever is not to come back is refused", () => {
  const { session, clients } = world();
  session.connect("ws://b/ws", "t");
  clients[0].emit("state", { state: "failed", error: refusal("UNSUPPORTED_VERSION") });
  assert.deepEqual([session.phase, session.error?.code], ["refused", "UNSUPPORTED_VERSION"]);
});

test("logging out disconnects, and what the former client still says is not heard", () => {
  const { session, clients, told } = world();
  session.connect("ws://b/ws", "t");
  session.logout();
  assert.deepEqual([session.phase, clients[0].left, told], ["login", true, ["ended"]]);
  clients[0].emit("connected");
  clients[0].emit("state", { state: "closed", error: null });
  assert.equal(session.phase, "login");
});

test("an address that is none is refused with its error", () => {
  const make = () => {
    throw refusal("INVALID_MESSAGE");
  };
  const session = new Session(make, { connected() {}, lost() {}, ended() {} }, { date: () => 0 });
  session.connect("nonsense", null);
  assert.deepEqual([session.phase, session.error?.code], ["refused", "INVALID_MESSAGE"]);
});
