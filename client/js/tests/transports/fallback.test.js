import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { WebSocketServer } from "ws";

import { dialWithFallback } from "../../src/transports/fallback.js";
import { FakeHttp } from "./fakehttp.js";
import { Hearing } from "./hearing.js";

const PACE = { attemptMs: 2000, probeMs: 60_000 };

/** A broker whose WebSockets do not pass; `tried` counts them. */
async function blocked(t, refuse = (socket) => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")) {
  const broker = await new FakeHttp().start(t);
  const tried = { times: 0 };
  const upgrade = (_, socket) => {
    tried.times += 1;
    t.after(() => socket.destroy());
    refuse(socket);
  };
  broker.server.on("upgrade", upgrade);
  const unblock = () => {
    broker.server.off("upgrade", upgrade);
    const server = new WebSocketServer({ server: broker.server });
    t.after(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    return server;
  };
  return { broker, tried, unblock, url: `${broker.url.replace("http", "ws")}/ws` };
}

test("a WebSocket that is blocked twice is replaced by HTTP", async (t) => {
  const { tried, url } = await blocked(t);
  const carrier = await dialWithFallback(url, new Hearing().hooks, {}, PACE);
  assert.deepEqual([carrier.kind, tried.times], ["http", 2]);
  carrier.abort();
});

test("a handshake that is never answered counts as blocked", async (t) => {
  const { tried, url } = await blocked(t, () => {});
  const carrier = await dialWithFallback(url, new Hearing().hooks, {}, { ...PACE, attemptMs: 100 });
  assert.deepEqual([carrier.kind, tried.times], ["http", 2]);
  carrier.abort();
});

test("where the broker is not ready nothing else is tried", async (t) => {
  const { broker, tried, url } = await blocked(t);
  broker.routes.readyz = (_, answer) => answer.writeHead(503).end();
  await assert.rejects(dialWithFallback(url, new Hearing().hooks, {}, PACE), { code: "UNAVAILABLE" });
  assert.equal(tried.times, 1);
});

test("a refused login is not gone around", async (t) => {
  const { tried, url } = await blocked(t, (socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
  const { hooks } = new Hearing();
  await assert.rejects(dialWithFallback(url, hooks, {}, PACE), { code: "AUTHENTICATION_FAILED" });
  assert.equal(tried.times, 1);
});

test("a WebSocket that opens is used", async (t) => {
  const { unblock, url } = await blocked(t);
  unblock();
  const carrier = await dialWithFallback(url, new Hearing().hooks, {}, PACE);
  assert.equal(carrier.kind, "websocket");
  carrier.abort();
});

test("once WebSockets pass again an idle connection ends, to come back as one", async (t) => {
  const { tried, unblock, url } = await blocked(t);
  const hearing = new Hearing();
  const carrier = await dialWithFallback(url, hearing.hooks, {}, { ...PACE, probeMs: 20 });
  while (tried.times < 4) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([carrier.kind, hearing.closes.length], ["http", 0]);
  const passed = once(unblock(), "connection");
  assert.deepEqual(await hearing.closed(), { code: 1012, reason: "WebSockets pass again.", clean: true });
  await passed;
});

test("an attempt that is given up goes no further", async (t) => {
  const { broker, url } = await blocked(t);
  const abort = new AbortController();
  broker.routes.readyz = () => abort.abort(new Error("enough"));
  await assert.rejects(dialWithFallback(url, new Hearing().hooks, { signal: abort.signal }, PACE));
  assert.equal(broker.of("healthz").length, 0);
});
