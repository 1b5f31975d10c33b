import { encode } from "./protocol/codec.js";
import { checkSize } from "./size.js";

/** @typedef {import("./core.js").Wire} Wire */

/**
 * The way to the broker over a carrier.
 * @param {number | null | undefined} limit of a message, in bytes
 * @param {import("./transports/carrier.js").Carrier} carrier
 * @param {() => boolean} mayWrite asked before each message; false: it goes nowhere
 * @returns {Wire}
 */
export function wireOf(limit, carrier, mayWrite) {
  /** @param {string} text */
  const write = (text) => {
    if (mayWrite()) carrier.send(text);
  };
  return {
    write,
    send: (message) => {
      const text = encode(message);
      checkSize(text, limit);
      write(text);
    },
    get buffered() {
      return carrier.buffered;
    },
  };
}
