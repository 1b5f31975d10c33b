import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeBroker, heard } from "./fakebroker.js";
import { turn } from "./rig.js";

const NOW = 1_790_000_000_000;

/** A token function that hands out t1, t2, ... */
function mint() {
  const token = async () => `t${(token.count += 1)}`;
  token.count = 0;
  return token;
}

/** A welcome that says when the token expires. */
function expiring(ms) {
  return { identity: { subject: "alice", permissions: {}, expires_at: NOW + ms } };
}

function jwt(exp) {
  const part = Buffer.from(JSON.stringify({ exp })).toString("base64url");
  return `h.${part}.s`;
}

test("a token function is asked before each connection", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ token: mint() });
  await broker.last.cut();
  await broker.advance(500);
  assert.deepEqual(broker.connections.map(({ sent }) => sent[0].token), ["t1", "t2"]);
  await client.disconnect();
});

for (const code of ["TOKEN_EXPIRED", "AUTHENTICATION_FAILED"]) {
  test(`after ${code} another token is fetched once`, async () => {
    const broker = new FakeBroker();
    const client = await broker.connect({ token: mint() });
    await broker.last.bye(4401, { error: { code } });
    await broker.advance(500);
    assert.ok(client.isReady);
    assert.equal(broker.last.sent[0].token, "t2");
    await client.disconnect();
  });

  test(`${code} twice in a row is final`, async () => {
    const broker = new FakeBroker();
    broker.greets = false;
    const client = broker.client({ token: mint() });
    const connected = client.start();
    await turn();
    await broker.last.bye(4401, { error: { code } });
    await Promise.all([
      assert.rejects(connected, { code }),
      broker.advance(0).then(() => broker.last.bye(4401, { error: { code } })),
    ]);
    assert.equal(broker.attempts.length, 2);
  });

  test(`a refused token that is no function is final after ${code}`, async () => {
    const broker = new FakeBroker();
    broker.greets = false;
    const connected = broker.client({ token: "old", retryFirst: true }).start();
    await turn();
    const [refused] = [assert.rejects(connected, { code }), broker.last.bye(4401, { error: { code } })];
    await refused;
    assert.equal(broker.attempts.length, 1);
  });
}

test("a token function that fails is named, and its words are not", async () => {
  const broker = new FakeBroker();
  const token = () => Promise.reject(new TypeError("secret"));
  await assert.rejects(broker.connect({ token }), (error) => {
    assert.equal(error.code, "UNAVAILABLE");
    assert.match(error.message, /TypeError/);
    assert.ok(!error.message.includes("secret"));
    return true;
  });
});

test("a token function that fails is asked again where connecting is tried again", async () => {
  const broker = new FakeBroker();
  let fails = true;
  const token = () => (fails ? Promise.reject(new Error("down")) : "t");
  const client = broker.client({ token, retryFirst: true });
  const connected = client.start();
  await turn();
  fails = false;
  await broker.advance(500);
  await connected;
  await client.disconnect();
});

test("a token is renewed in place before it expires", async () => {
  const broker = new FakeBroker();
  broker.welcome = expiring(600_000);
  const token = mint();
  const client = await broker.connect({ token });
  const told = heard(client, "authenticated");
  await broker.advance(539_999);
  assert.equal(token.count, 1);
  await broker.advance(1);
  const [auth] = broker.last.of("auth");
  assert.equal(auth.token, "t2");
  broker.last.say({ type: "ack", id: auth.id });
  await turn();
  assert.equal(told.length, 1);
  assert.equal(broker.attempts.length, 1);
  await client.disconnect();
  assert.equal(broker.clock.pending, 0);
});

test("a renewed token that says when it expires is renewed in its turn", async () => {
  const broker = new FakeBroker();
  broker.welcome = expiring(100_000);
  const client = await broker.connect({ token: () => jwt((NOW + 175_000) / 1000) });
  await broker.advance(75_000);
  const [first] = broker.last.of("auth");
  broker.last.say({ type: "ack", id: first.id });
  await turn();
  assert.equal(client.identity.expires_at, NOW + 175_000);
  await broker.advance(75_000);
  assert.equal(broker.last.of("auth").length, 2);
  await client.disconnect();
});

test("a renewal that fails is reported and tried again", async () => {
  const broker = new FakeBroker();
  broker.welcome = expiring(600_000);
  const client = await broker.connect({ token: mint() });
  const told = heard(client, "error");
  await broker.advance(540_000);
  const [first] = broker.last.of("auth");
  broker.last.say({ type: "error", id: first.id, code: "AUTHENTICATION_FAILED", message: "No." });
  await turn();
  assert.equal(told[0][1].code, "AUTHENTICATION_FAILED");
  await broker.advance(1000);
  assert.equal(broker.last.of("auth")[1].token, "t3");
  await client.disconnect();
});

test("a token that is over by our clock is not renewed without a pause", async () => {
  const broker = new FakeBroker();
  broker.welcome = expiring(-1);
  const token = mint();
  const client = await broker.connect({ token });
  await broker.advance(999);
  assert.equal(token.count, 1);
  await broker.advance(1);
  assert.equal(token.count, 2);
  await client.disconnect();
});

test("a loss ends the renewal of its token", async () => {
  const broker = new FakeBroker();
  broker.welcome = expiring(600_000);
  const token = mint();
  const client = await broker.connect({ token });
  broker.welcome = {};
  await broker.last.cut();
  await broker.advance(600_000);
  assert.equal(token.count, 2);
  assert.deepEqual(broker.last.of("auth"), []);
  await client.disconnect();
});

test("authenticate renews the login in place, and for later", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ token: "old" });
  const renewed = client.authenticate("new");
  const [auth] = broker.last.of("auth");
  assert.equal(auth.token, "new");
  broker.last.say({ type: "ack", id: auth.id });
  await renewed;
  await broker.last.cut();
  await broker.advance(500);
  assert.equal(broker.last.sent[0].token, "new");
  await client.disconnect();
});

test("a refused renewal is thrown, and the old token stays", async () => {
  const broker = new FakeBroker();
  const client = await broker.connect({ token: "old" });
  const renewed = client.authenticate("new");
  const [auth] = broker.last.of("auth");
  broker.last.say({ type: "error", id: auth.id, code: "PERMISSION_DENIED", message: "No.", field: "token" });
  await assert.rejects(renewed, { code: "PERMISSION_DENIED", field: "token" });
  await broker.last.cut();
  await broker.advance(500);
  assert.equal(broker.last.sent[0].token, "old");
  await client.disconnect();
});
