/**
 * The worker of the page: it holds the connection and what is known of the broker, so that the page only
 * draws.
 */

import { Client } from "../sdk/swarmwire.js";
import { clock } from "../sdk/clock.js";
import { Host } from "./model/host.js";

const host = new Host({
  post: (message) => self.postMessage(message),
  makeClient: (url, options) => new Client(url, options),
  clock,
});

self.addEventListener("message", ({ data }) => host.take(data));
