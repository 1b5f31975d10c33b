import assert from "node:assert/strict";
import { test } from "node:test";

import { httpBase, isNearby, shownUrl } from "../../src/transports/url.js";

test("a URL is shown without what may be secret", () => {
  assert.equal(shownUrl("wss://user:pass@host:1/ws?token=t#x"), "wss://host:1/ws");
  assert.equal(shownUrl("unix:///run/a@b/c.sock"), "unix:///run/a@b/c.sock");
  assert.equal(shownUrl("not a URL"), "not a URL");
});

test("the HTTP routes are beside the WebSocket", () => {
  assert.equal(httpBase("ws://host:8765/ws"), "http://host:8765/");
  assert.equal(httpBase("wss://host/below/ws?x=1"), "https://host/below/");
  assert.equal(httpBase("https://host/page/index.html#top"), "https://host/page/");
});

test("a broker of this machine needs no network", () => {
  for (const url of ["unix:///a/b.sock", "ws://127.8.9.1:1/ws", "http://localhost", "ws://[::1]:2/ws"]) {
    assert.equal(isNearby(url), true, url);
  }
  assert.equal(isNearby("ws://broker.localhost/ws"), true);
  for (const url of ["ws://127.example.org/ws", "wss://localhost.example.org/ws", "wss://10.0.0.1/ws"]) {
    assert.equal(isNearby(url), false, url);
  }
});
