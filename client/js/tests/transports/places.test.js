import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";

import { expectedName, places } from "../../src/transports/places.js";

const PORT = "ws://127.0.0.1:8765/ws";

beforeEach(() => {
  for (const name of ["SWARMWIRE_URL", "SWARMWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"]) delete process.env[name];
});

/** A directory of ours in which a file stands for each socket. */
function runtime(t, ...names) {
  const directory = mkdtempSync(join(tmpdir(), "sw-places-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const name of names) writeFileSync(join(directory, `${name}.sock`), "");
  return directory;
}

test("a URL is the only place", async () => {
  process.env.SWARMWIRE_URL = "ws://elsewhere/ws";
  assert.deepEqual(await places({ url: "ws://here/ws" }), ["ws://here/ws"]);
  assert.equal(expectedName({ url: "ws://here/ws" }), null);
});

test("the environment may say the URL, unless a broker is named", async (t) => {
  process.env.SWARMWIRE_URL = "ws://elsewhere/ws";
  process.env.SWARMWIRE_RUNTIME_DIR = runtime(t);
  assert.deepEqual(await places({ url: null }), ["ws://elsewhere/ws"]);
  assert.equal(expectedName({}), null);
  assert.deepEqual(await places({ broker: "build" }), [PORT]);
  assert.equal(expectedName({ broker: "build" }), "build");
});

test("the socket in the runtime directory comes before the usual port", async (t) => {
  const directory = (process.env.SWARMWIRE_RUNTIME_DIR = runtime(t, "swarmwire", "build"));
  assert.deepEqual(await places({}), [`unix://${directory}/swarmwire.sock`, PORT]);
  assert.equal(expectedName({}), "swarmwire");
  assert.deepEqual(await places({ broker: "build" }), [`unix://${directory}/build.sock`, PORT]);
  assert.deepEqual(await places({ broker: "none" }), [PORT]);
});

test("the directory of the session has one for brokers", async (t) => {
  const session = (process.env.XDG_RUNTIME_DIR = runtime(t));
  mkdirSync(join(session, "swarmwire"), { mode: 0o700 });
  writeFileSync(join(session, "swarmwire", "swarmwire.sock"), "");
  assert.deepEqual(await places({}), [`unix://${session}/swarmwire/swarmwire.sock`, PORT]);
});

test("a directory that others can write to is passed over, and so is a link", async (t) => {
  const directory = (process.env.SWARMWIRE_RUNTIME_DIR = runtime(t, "swarmwire"));
  chmodSync(directory, 0o770);
  assert.deepEqual(await places({}), [PORT]);
  chmodSync(directory, 0o700);
  const link = join(runtime(t), "link");
  symlinkSync(directory, link);
  process.env.SWARMWIRE_RUNTIME_DIR = link;
  assert.deepEqual(await places({}), [PORT]);
});

test("what cannot be a broker's name is refused", async () => {
  for (const broker of ["", ".", "..", "a/b", "x".repeat(65)]) {
    await assert.rejects(places({ broker }), { code: "INVALID_MESSAGE", field: "broker" });
  }
});
