import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { WebSocketServer } from "ws";

import { dialWebSocket } from "../../src/transports/websocket.js";
import { Hearing } from "./hearing.js";

/** A server of WebSockets; `peer` resolves with its end of the first connection. */
async function serving(t, options = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  await once(server, "listening");
  const peer = once(server, "connection").then(([socket, request]) => ({ socket, request }));
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${server.address().port}/ws`, peer };
}

async function connected(t) {
  const { url, peer } = await serving(t);
  const hearing = new Hearing();
  const carrier = await dialWebSocket(url, hearing.hooks);
  return { hearing, carrier, ...(await peer) };
}

// First, while no other test has timers that it would take over.
test("a close that is not answered is cut", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { hearing, carrier, socket } = await connected(t);
  socket.pause();
  carrier.close(1000, "");
  t.mock.timers.tick(2000);
  assert.deepEqual(await hearing.closed(), { code: 1006, reason: "", clean: false });
});

test("messages go both ways as text, under the protocol's name", async (t) => {
  const { hearing, carrier, socket, request } = await connected(t);
  assert.equal(request.headers["sec-websocket-protocol"], "swarmwire.v1");
  assert.equal(request.headers["sec-websocket-extensions"], undefined);
  assert.equal(carrier.kind, "websocket");
  const came = once(socket, "message");
  carrier.send("hello ü");
  const [bytes, isBinary] = await came;
  assert.deepEqual([String(bytes), isBinary], ["hello ü", false]);
  socket.send("one");
  socket.send("two");
  assert.deepEqual(await hearing.heard(2), ["one", "two"]);
  assert.equal(carrier.buffered, 0);
});

test("the broker's close code and reason are told, once", async (t) => {
  const { hearing, carrier, socket } = await connected(t);
  socket.close(4409, "silent");
  assert.deepEqual(await hearing.closed(), { code: 4409, reason: "silent", clean: true });
  carrier.close(1000, "late");
  carrier.abort();
  carrier.send("nobody hears this");
  await null;
  assert.equal(hearing.closes.length, 1);
});

test("a connection that is cut ends with 1006", async (t) => {
  const { hearing, socket } = await connected(t);
  socket.terminate();
  const { code, clean } = await hearing.closed();
  assert.deepEqual([code, clean], [1006, false]);
});

test("closing says the code, and hears no more messages", async (t) => {
  const { hearing, carrier, socket } = await connected(t);
  const closed = once(socket, "close");
  carrier.close(1000, "done");
  socket.send("too late");
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [1000, "done"]);
  assert.equal((await hearing.closed()).code, 1000);
  assert.deepEqual(hearing.messages, []);
});

test("codes that a page may not say are left to the bye", async (t) => {
  const { carrier, socket } = await connected(t);
  const closed = once(socket, "close");
  carrier.close(1001, "going");
  assert.equal((await closed)[0], 1005);
});

test("aborting tells the end in a turn of its own", async (t) => {
  const { hearing, carrier } = await connected(t);
  carrier.abort();
  assert.deepEqual(hearing.closes, []);
  assert.equal((await hearing.closed()).code, 1006);
});

test("a binary message ends the connection", async (t) => {
  const { hearing, socket } = await connected(t);
  socket.send(Buffer.from("bytes"));
  await hearing.closed();
  assert.deepEqual(hearing.messages, []);
});

test("a refused handshake is a refused login, another failure is not", async (t) => {
  for (const [status, code] of [
    [401, "AUTHENTICATION_FAILED"],
    [403, "AUTHENTICATION_FAILED"],
    [503, "UNAVAILABLE"],
  ]) {
    const server = createServer().on("upgrade", (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const url = `ws://127.0.0.1:${server.address().port}/ws`;
    await assert.rejects(dialWebSocket(url, new Hearing().hooks), { code });
  }
});

test("where nobody listens it is UNAVAILABLE, and no secret is shown", async (t) => {
  const { url } = await serving(t);
  const elsewhere = url.replace(/:\d+/, ":1").replace("//", "//user:secret@");
  await assert.rejects(dialWebSocket(`${elsewhere}?token=secret`, new Hearing().hooks), (error) => {
    assert.equal(error.code, "UNAVAILABLE");
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test("a URL that is none is not tried", async () => {
  const dialled = dialWebSocket("ws://", new Hearing().hooks);
  await assert.rejects(dialled, { code: "INVALID_MESSAGE", field: "url" });
});

test("an attempt can be given up while the other side says nothing", async (t) => {
  const server = createServer().on("upgrade", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const abort = new AbortController();
  const url = `ws://127.0.0.1:${server.address().port}/ws`;
  const dialled = dialWebSocket(url, new Hearing().hooks, { signal: abort.signal });
  const [, socket] = await once(server, "upgrade");
  t.after(() => {
    socket.destroy();
    server.close();
  });
  const why = new Error("enough");
  abort.abort(why);
  await assert.rejects(dialled, why);
});

