/**
 * Random bytes that nobody can guess, in hexadecimal digits.
 * @param {number} bytes how many
 */
export function randomHex(bytes) {
  const numbers = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(numbers, (number) => number.toString(16).padStart(2, "0")).join("");
}
