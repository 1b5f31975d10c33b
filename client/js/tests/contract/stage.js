import { soon } from "./expect.js";

/** @typedef {import("./cases.js").Place} Place */

let cases = 0;

/**
 * Run a case at a place, and end its clients, whatever becomes of it.
 * @param {import("./cases.js").Case} contract
 * @param {Omit<Place, "connect" | "topic">} ground
 */
export async function play(contract, ground) {
  cases += 1;
  const prefix = `contract.c${cases}`;
  /** @type {import("../../src/swarmwire.js").Client[]} */
  const clients = [];
  /** @type {Place} */
  const place = {
    ...ground,
    topic: (name) => `${prefix}.${name}`,
    async connect(options = {}, url = ground.url) {
      const client = await ground.sdk.connect(url, options);
      client.listen("error", () => {}); // what a case is about it looks at itself
      clients.push(client);
      return client;
    },
  };
  try {
    await contract.run(place);
  } finally {
    await soon(Promise.all(clients.map((client) => client.disconnect())), "the clients to end");
  }
}
