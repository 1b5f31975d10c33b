import assert from "node:assert/strict";
import { test } from "node:test";

import { httpBase, isOfThisMachine, shownUrl } from "../../src/transports/url.js";

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
  for (const url of ["unix:///a.sock", "ws://127.0.0.1:1/ws", "http://localhost", "ws://[::1]:2/ws"]) {
    assert.equal(isOfThisMachine(url), true, url);
  }
  for (const url of ["ws://example.org/ws", "ws://127.0.0.1.example.org", "wss://10.0.0.1/ws"]) {
    assert.equal(isOfThisMachine(url), false, url);
  }
});
