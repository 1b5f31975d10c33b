import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import * as sdk from "../src/swarmwire.js";
import { Nursery, token } from "./broker.js";
import { CASES } from "./contract/cases.js";
import { play } from "./contract/stage.js";

const WAYS = /** @type {const} */ (["ws", "unix", "http"]);
const AT_ONCE = 6;
const PATIENCE_MS = 120_000;
const PROGRAM = fileURLToPath(new URL("program.js", import.meta.url));
const SOON_MS = 60_000;

const nursery = new Nursery();
/** @type {Map<string, Promise<import("./broker.js").Broker>>} */
const shared = new Map();

after(() => nursery.close());

/** @param {import("./contract/cases.js").Case["broker"]} wanted */
function brokerFor({ own = false, ...wanted } = {}) {
  const name = JSON.stringify(wanted);
  const broker = own ? undefined : shared.get(name);
  if (broker !== undefined) return broker;
  const started = nursery.broker(wanted).start();
  if (!own) shared.set(name, started);
  return started;
}

/**
 * What a program printed that came to its end by itself, and soon.
 * @param {string[]} args
 * @param {Record<string, string>} [environment]
 */
async function printed(args, environment = {}) {
  const { SWARMWIRE_URL: _, ...inherited } = process.env;
  const options = { timeout: SOON_MS, env: { ...inherited, ...environment } };
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args], options);
  return stdout.trim();
}

describe("the contract", { concurrency: AT_ONCE }, () => {
  for (const contract of CASES) {
    for (const way of WAYS.filter((each) => contract.ways?.includes(each) ?? true)) {
      it(`${way}: ${contract.name}`, { timeout: PATIENCE_MS }, async () => {
        const broker = await brokerFor(contract.broker);
        await play(contract, { way, url: broker.url(way), socketUrl: broker.url("ws"), broker, token, sdk });
        if (contract.broker?.own) await broker.kill();
      });
    }
  }
});

describe("a program in Node", { concurrency: AT_ONCE }, () => {
  for (const way of WAYS) {
    it(`comes to its end after it has disconnected over ${way}`, async () => {
      const url = (await brokerFor()).url(way);
      assert.equal(await printed([url]), url);
    });
  }

  it("finds the broker that the environment names", async () => {
    const url = (await brokerFor()).url("http");
    assert.equal(await printed([], { SWARMWIRE_URL: url }), url);
  });

  it("finds the broker of this machine by its socket", async () => {
    const broker = await nursery.local().start();
    const directory = dirname(broker.url("unix").slice("unix://".length));
    assert.equal(await printed([], { SWARMWIRE_RUNTIME_DIR: directory }), broker.url("unix"));
  });
});
