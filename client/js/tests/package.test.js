import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { VERSION } from "../src/version.js";

const home = new URL("../", import.meta.url);
const read = (name) => readFileSync(new URL(name, home), "utf8");
const described = JSON.parse(read("package.json"));

test("the version is that of the whole project", () => {
  const [, version] = /^version = "(.*)"$/m.exec(read("../../pyproject.toml"));
  assert.equal(described.version, version);
  assert.equal(JSON.parse(read("package-lock.json")).version, version);
  assert.equal(VERSION, version);
});

test("every way into the package leads to one module, with its types beside it", async () => {
  assert.deepEqual(Object.keys(described.exports), [".", "./channels", "./protocol"]);
  for (const [name, { default: path, types }] of Object.entries(described.exports)) {
    assert.ok(existsSync(new URL(path, home)), path);
    assert.equal(types, path.replace("./src/", "./types/").replace(/\.js$/, ".d.ts"));
    const bySelf = await import(name.replace(/^\./, "swarmwire"));
    assert.equal(bySelf, await import(new URL(path, home)));
  }
});

test("the SDK needs no other package, and its lock names no place to get one from", () => {
  assert.equal(described.dependencies, undefined);
  const lock = JSON.parse(read("package-lock.json"));
  const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
  assert.ok(packages.length > 5);
  for (const [path, { integrity, resolved }] of packages) {
    assert.ok(integrity?.startsWith("sha512-"), path);
    assert.equal(resolved, undefined, path);
  }
});
