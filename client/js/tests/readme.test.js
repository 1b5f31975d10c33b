import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Nursery } from "./broker.js";

const run = promisify(execFile);
const home = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** The examples for Node, each a program of its own. */
const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

const nursery = new Nursery();
after(() => nursery.close());

test("there are examples to run", () => {
  assert.ok(examples.length >= 3);
});

for (const [place, code] of examples.entries()) {
  test(`example ${place + 1} for Node runs and prints what it says`, async () => {
    const broker = await nursery.broker().start();
    const program = code.replaceAll("ws://127.0.0.1:8765/ws", broker.url("ws"));
    assert.notEqual(program, code);
    // In this directory `swarmwire` is the package itself.
    const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: home,
      timeout: 60_000,
    });
    const said = [...code.matchAll(/\/\/ -> (.*)$/gm)].map(([, line]) => line);
    assert.ok(said.length > 0);
    assert.deepEqual(stdout.trimEnd().split("\n"), said);
    assert.equal(stderr, "");
    await broker.stop();
  });
}

test("what the examples for a browser import is there", async () => {
  const [, page] = /^```html\n(.*?)^```$/ms.exec(readme);
  const [, names, path] = /import \{(.*?)\} from "\/sdk\/(.*?)"/.exec(page);
  const sdk = await import(new URL(`../src/${path}`, import.meta.url));
  for (const name of names.split(",")) {
    assert.equal(typeof sdk[name.trim()], "function");
  }
});
