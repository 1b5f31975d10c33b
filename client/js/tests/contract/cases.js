/**
 * The contract of the SDK: one list of cases for every way to reach a broker, and for every place that it
 * runs in.
 */

import { calling } from "./calling.js";
import { connecting } from "./connecting.js";
import { ending } from "./ending.js";
import { publishing } from "./publishing.js";
import { resuming } from "./resuming.js";
import { subscribing } from "./subscribing.js";
import { tokens } from "./tokens.js";

/** @typedef {import("../../src/swarmwire.js").Client} Client */

/**
 * What a case works with.
 * @typedef {object} Place
 * @property {"ws" | "unix" | "http"} way
 * @property {string} url of the broker
 * @property {string} socketUrl of the same broker's WebSocket: who is to be called needs one
 * @property {typeof import("../../src/swarmwire.js")} sdk
 * @property {{ start(): Promise<unknown>, kill(): Promise<unknown>, stop(): Promise<unknown> }} broker
 * @property {(claims?: object) => string | Promise<string>} token makes one that the broker takes, if it has
 *   a login
 * @property {(options?: object, url?: string) => Promise<Client>} connect a client that is ended with the
 *   case
 * @property {(name: string) => string} topic a topic of this case alone
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {readonly string[]} [ways] where it can be run; by default everywhere
 * @property {{ own?: boolean, data?: boolean, login?: boolean, settings?: Record<string, unknown> }} [broker]
 *   what it must be like; `own`: no other case may use it, since this one ends it
 * @property {(place: Place) => Promise<void>} run
 */

/** @type {readonly Case[]} */
export const CASES = [
  ...connecting,
  ...subscribing,
  ...resuming,
  ...publishing,
  ...calling,
  ...tokens,
  ...ending,
];
