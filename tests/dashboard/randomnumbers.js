// @ts-check
/** Random numbers that are the same in each run. */

/** @param {number} seed @returns {() => number} numbers from 0 to 1 */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}
