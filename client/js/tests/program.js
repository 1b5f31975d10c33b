/** A small program as users write them: it is run by tests, and has to come to its end by itself. */

import { connect } from "../src/swarmwire.js";

const [url] = process.argv.slice(2);
const client = await connect(url);
const events = client.subscribe("program.#", { from: "start" });
await events.ready;
await client.publish("program.ran", process.pid);
for await (const { data } of events) {
  if (data === process.pid) break;
}
await client.disconnect();
console.log(client.url);
