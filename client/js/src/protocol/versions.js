/** Versions of the protocol, and the choice of the one that both sides speak. */

import { SwarmwireError } from "./errors.js";

/** The versions that this SDK speaks. */
export const VERSIONS = Object.freeze(["1"]);

const VERSION = /^[0-9]{1,9}(?:\.[0-9]{1,9}){0,7}$/;

/**
 * The numbers of a version without the zeros at its end: `1` and `1.0` are the same.
 *
 * Throws INVALID_MESSAGE unless the text is 1 to 8 numbers of 1 to 9 digits joined by dots.
 *
 * @param {string} text
 * @returns {number[]}
 */
export function parseVersion(text) {
  if (!VERSION.test(text)) {
    const wanted = 'A version is 1 to 8 numbers of at most 9 digits joined by dots, as in "1.10"';
    const sentence = `${wanted}; ${JSON.stringify(text.slice(0, 100))} is none.`;
    throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: "versions" });
  }
  const numbers = text.split(".").map(Number);
  return numbers.slice(0, numbers.findLastIndex((number) => number > 0) + 1);
}

/**
 * Below, at or above zero as `a` comes before, with or after `b`: `1.10` comes after `1.9`.
 *
 * @param {string} a
 * @param {string} b
 */
export function compareVersions(a, b) {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  const length = Math.max(left.length, right.length);
  for (let place = 0; place < length; place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/**
 * The highest version in both lists, spelled as in `known`; null if they share none. What is offered and is
 * no version is passed over: it may be of a scheme that came later.
 *
 * @param {readonly string[]} offered
 * @param {readonly string[]} [known]
 * @returns {string | null}
 */
export function selectVersion(offered, known = VERSIONS) {
  const readable = offered.filter((text) => VERSION.test(text));
  const shared = known.filter((own) => readable.some((other) => compareVersions(own, other) === 0));
  return shared.sort(compareVersions).at(-1) ?? null;
}
