/** Runs the contract in a browser's page, whose brokers are run by whoever opened the page. */

import * as sdk from "../sdk/swarmwire.js";
import { CASES } from "./cases.js";
import { play } from "./stage.js";

/**
 * Gives orders to who opened the page, who has the brokers and makes tokens.
 * @type {(order: object) => Promise<any>}
 */
const ask = /** @type {any} */ (globalThis).ask;

/** Each lane has brokers of its own, since a browser has few connections to one of them. */
const LANES = 4;

/**
 * Run the cases of one way, some of them at once.
 * @param {"ws" | "http"} way
 * @returns {Promise<{ passed: number, failures: string[] }>}
 */
export async function run(way) {
  const waiting = CASES.filter(({ ways }) => ways?.includes(way) ?? true);
  /** @type {string[]} */
  const failures = [];
  let passed = 0;
  await Promise.all(Array.from({ length: LANES }, (_, lane) => drive(lane)));
  return { passed, failures };

  /** @param {number} lane */
  async function drive(lane) {
    for (let contract = waiting.shift(); contract !== undefined; contract = waiting.shift()) {
      try {
        await runCase(contract, way, lane);
        passed += 1;
      } catch (error) {
        failures.push(`${contract.name}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
      }
    }
  }
}

/**
 * @param {import("./cases.js").Case} contract
 * @param {"ws" | "http"} way
 * @param {number} lane
 */
async function runCase(contract, way, lane) {
  const { own = false, ...wanted } = contract.broker ?? {};
  const { name, urls } = await ask({ do: "broker", wanted, lane: own ? null : lane });
  const broker = {
    start: () => ask({ do: "start", name }),
    kill: () => ask({ do: "kill", name }),
    stop: () => ask({ do: "stop", name }),
  };
  const token = (claims = {}) => ask({ do: "token", claims });
  await play(contract, { way, url: urls[way], socketUrl: urls.ws, broker, token, sdk });
  if (own) await broker.kill();
}
