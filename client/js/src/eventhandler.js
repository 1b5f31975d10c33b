import { wrong } from "./options.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./events.js").Event} Event */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */
/** @typedef {import("./subscription.js").Subscription} Subscription */

/**
 * Ends a handler and its subscription; an event that is being handled is handled to its end. Harmless twice.
 * @callback Unsubscribe
 * @returns {void}
 */

/**
 * Call a function with every event of a subscription: one after the other, in order, holding up nobody else.
 * What it throws is reported as the client event `error`, and so is a refused subscription.
 * @param {Core} core
 * @param {Subscription} subscription
 * @param {(event: Event) => unknown} handler
 * @returns {Unsubscribe & { ready: Promise<unknown> }} `ready` once the broker has acknowledged it
 */
export function handleEvents(core, subscription, handler) {
  void run(core, subscription, handler);
  return Object.assign(() => subscription.close(), { ready: subscription.ready });
}

/**
 * @param {unknown} handler
 * @throws {SwarmwireError} INVALID_MESSAGE for what is no function
 */
export function checkHandler(handler) {
  if (typeof handler !== "function") throw wrong("handler", "a function", handler);
}

/**
 * @param {Core} core
 * @param {Subscription} subscription
 * @param {(event: Event) => unknown} handler
 */
async function run(core, subscription, handler) {
  try {
    for await (const event of subscription) await handled(core, event, handler);
  } catch (error) {
    core.report(error);
  }
}

/**
 * @param {Core} core
 * @param {Event} event
 * @param {(event: Event) => unknown} handler
 */
async function handled(core, event, handler) {
  try {
    await handler(event);
  } catch (error) {
    core.report(error);
  }
}
