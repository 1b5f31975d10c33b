/** Messages to JSON and back. */

import { SwarmwireError } from "./errors.js";
import { invalid, misfit } from "./kinds.js";
import { FROM_BROKER, TO_BROKER } from "./shapes.js";

/**
 * @typedef {import("./messages.js").BrokerMessage} BrokerMessage
 * @typedef {import("./messages.js").ClientMessage} ClientMessage
 * @typedef {import("./shapes.js").Shape} Shape
 */

/**
 * A message of the client as JSON. What is undefined, null where it is optional, at its default, or unknown
 * to the protocol is left out.
 *
 * Throws INVALID_MESSAGE with the field at fault for what the broker would refuse, and for data that JSON
 * cannot hold.
 *
 * @param {ClientMessage} message
 */
export function encode(message) {
  return JSON.stringify(shaped(TO_BROKER, message));
}

/**
 * A message of the broker. Fields that are unknown, null where they are optional, or at their default are
 * left out.
 *
 * Throws INVALID_MESSAGE when it is none: broken JSON, an unknown type, or another shape.
 *
 * @param {string} text
 * @returns {BrokerMessage}
 */
export function decode(text) {
  return /** @type {BrokerMessage} */ (shaped(FROM_BROKER, parsed(text)));
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const sentence = "Expected one JSON object; this is not valid JSON.";
    throw new SwarmwireError("INVALID_MESSAGE", sentence, { cause });
  }
}

/**
 * @param {ReadonlyMap<string, Shape>} shapes
 * @param {unknown} message
 */
function shaped(shapes, message) {
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw misfit("an object", message, "");
  }
  const type = "type" in message ? message.type : undefined;
  const shape = typeof type === "string" ? shapes.get(type) : undefined;
  if (shape === undefined) {
    const got = typeof type === "string" ? JSON.stringify(type.slice(0, 60)) : typeof type;
    const sentence = `Expected a type of message that may be sent this way, got ${got}.`;
    throw invalid(sentence, "type");
  }
  return shape(message, "");
}
