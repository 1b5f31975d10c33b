import { SwarmwireError } from "./protocol/errors.js";

/** No character of a string takes more bytes of UTF-8. */
export const MOST_BYTES = 3;

const encoder = new TextEncoder();

/**
 * Refuse a message that is larger than the broker takes. The broker would close the connection over it.
 * @param {string} text
 * @param {number | null | undefined} limit in bytes; null and undefined: none
 * @throws {SwarmwireError} MESSAGE_TOO_LARGE
 */
export function checkSize(text, limit) {
  if (limit == null || text.length * MOST_BYTES <= limit) return;
  const bytes = encoder.encode(text).length;
  if (bytes <= limit) return;
  const sentence = `Expected a message of at most ${limit} bytes, got ${bytes}.`;
  throw new SwarmwireError("MESSAGE_TOO_LARGE", sentence);
}
