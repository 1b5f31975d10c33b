import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { PREFACE, frame } from "../../src/protocol/framing.js";
import { dialUnixSocket } from "../../src/transports/unixsocket.js";
import { Hearing } from "./hearing.js";

function directory(t) {
  const made = mkdtempSync(join(tmpdir(), "sw-unix-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

/** A connection, and what the broker's side of it is. */
async function connected(t, name = "b.sock") {
  const path = join(directory(t), name);
  const server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, "listening");
  const accepted = once(server, "connection");
  const hearing = new Hearing();
  const carrier = await dialUnixSocket(`unix://${encodeURI(path)}`, hearing.hooks);
  const [peer] = await accepted;
  t.after(() => {
    carrier.abort();
    peer.destroy();
    server.close();
  });
  return { carrier, hearing, peer };
}

/** So many bytes that the peer is sent. */
async function received(peer, count) {
  let bytes = Buffer.alloc(0);
  while (bytes.length < count) bytes = Buffer.concat([bytes, (await once(peer, "data"))[0]]);
  return bytes;
}

test("the preface goes first, then messages as frames, both ways", async (t) => {
  const { carrier, hearing, peer } = await connected(t, "with space.sock");
  assert.equal(carrier.kind, "unix");
  carrier.send("grüß");
  const expected = Buffer.concat([PREFACE, frame("grüß")]);
  assert.deepEqual(await received(peer, expected.length), expected);
  peer.write(PREFACE);
  peer.write(Buffer.concat([frame("one"), frame("two").subarray(0, 5)]));
  peer.write(frame("two").subarray(5));
  assert.deepEqual(await hearing.heard(2), ["one", "two"]);
});

test("a refusal in a line of JSON is a message", async (t) => {
  const { hearing, peer } = await connected(t);
  peer.end('{"type":"error","code":"LIMIT_EXCEEDED"}\n');
  assert.deepEqual(await hearing.heard(1), ['{"type":"error","code":"LIMIT_EXCEEDED"}']);
  assert.equal((await hearing.closed()).code, 1006);
});

test("an end without a word is a crash", async (t) => {
  const { carrier, hearing, peer } = await connected(t);
  peer.destroy();
  assert.deepEqual(await hearing.closed(), { code: 1006, reason: "The connection was cut.", clean: false });
  carrier.send("nobody hears this");
  carrier.close(1000, "");
  carrier.abort();
  await null;
  assert.equal(hearing.closes.length, 1);
});

test("closing writes out what was sent", async (t) => {
  const { carrier, hearing, peer } = await connected(t);
  const text = "x".repeat(1_000_000);
  carrier.send(text);
  assert.ok(carrier.buffered > 0);
  carrier.close(1000, "done");
  const whole = await received(peer, PREFACE.length + 4 + text.length);
  assert.equal(whole.length, PREFACE.length + 4 + text.length);
  peer.end();
  assert.deepEqual(await hearing.closed(), { code: 1000, reason: "done", clean: true });
});

test("a close that the other side does not read is cut", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { carrier, hearing, peer } = await connected(t);
  peer.pause();
  carrier.send("x".repeat(5_000_000));
  carrier.close(1000, "");
  t.mock.timers.tick(2000);
  assert.equal((await hearing.closed()).code, 1006);
});

test("frames that are none end the connection, after what came before", async (t) => {
  for (const [bytes, code] of [
    [Buffer.from([0, 0, 0, 0]), 1002],
    [Buffer.from([0x10, 0, 0, 0]), 1009],
    [Buffer.from([0, 0, 0, 1, 0xff]), 1002],
  ]) {
    const { hearing, peer } = await connected(t);
    peer.write(Buffer.concat([PREFACE, frame("good"), bytes]));
    assert.equal((await hearing.closed()).code, code);
    assert.deepEqual(hearing.messages, ["good"]);
  }
});

test("where no broker listens the error says why", async (t) => {
  const place = directory(t);
  writeFileSync(join(place, "file"), "");
  const { hooks } = new Hearing();
  for (const [path, message] of [
    [`${place}/none.sock`, /no such file/],
    [`${place}/file`, /is no socket/],
    [`/${"x".repeat(107)}`, /at most 107/],
  ]) {
    await assert.rejects(dialUnixSocket(`unix://${path}`, hooks), { code: "UNAVAILABLE", message });
  }
});

test("a URL that names no path is refused", async () => {
  for (const url of ["unix://", "unix:///", "unix://host/path", "unix:///%zz"]) {
    await assert.rejects(dialUnixSocket(url, new Hearing().hooks), { code: "INVALID_MESSAGE", field: "url" });
  }
});
