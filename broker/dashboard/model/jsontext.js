/** JSON as text for the page: made only of what is shown, and never longer than it should be. */

/** Characters of a preview. */
export const PREVIEW = 200;
/** Characters of a value that is shown in full. */
export const FULL = 65536;

/** Stands for a value that is too heavy to be kept: its beginning as JSON, and how long all of it is. */
export class CutValue {
  /** @param {string} text @param {number} bytes */
  constructor(text, bytes) {
    this.text = text;
    this.bytes = bytes;
  }
}

/** What a value may weigh to be kept as it is; roughly its bytes in memory. */
export const HEAVY = 131072;

/**
 * What is left of `budget` when the value is in memory; negative, and no further walked, when that is too
 * little.
 * @param {unknown} value
 * @param {number} budget
 * @returns {number}
 */
function leftOf(value, budget) {
  if (typeof value === "string") return budget - 24 - value.length;
  if (typeof value !== "object" || value === null) return budget - 8;
  let left = budget - 32;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && left >= 0; index += 1) left = leftOf(value[index], left);
    return left;
  }
  for (const name in value) {
    left = leftOf(/** @type {Record<string, unknown>} */ (value)[name], left - 8 - name.length);
    if (left < 0) break;
  }
  return left;
}

/**
 * What a value weighs, roughly its bytes in memory; of one heavier than `HEAVY` only that it is.
 * @param {unknown} value
 */
export function weightOf(value) {
  return value instanceof CutValue ? value.text.length : HEAVY - leftOf(value, HEAVY);
}

/** The value, or what is kept of one that is too heavy. @param {unknown} value @returns {unknown} */
export function lightened(value) {
  return weightOf(value) <= HEAVY ? value : beginningOf(value);
}

/** As much of a value as is ever shown. @param {unknown} value @returns {CutValue} */
export function beginningOf(value) {
  const text = JSON.stringify(value);
  return new CutValue(copyOf(text.slice(0, FULL)), bytesOf(text));
}

/** A value of which only the preview stays. @param {unknown} value @returns {CutValue} */
export function previewed(value) {
  // One character more than is shown, so that the preview ends as one that was cut.
  const { text, bytes } = jsonOf(value, PREVIEW + 1);
  return new CutValue(copyOf(text), bytes);
}

/** @param {unknown} value @param {number} most @returns {{text: string, isCut: boolean, bytes: number}} */
export function jsonOf(value, most) {
  if (value instanceof CutValue) {
    return { text: value.text.slice(0, most), isCut: true, bytes: value.bytes };
  }
  const text = JSON.stringify(value);
  const isCut = text.length > most;
  return { text: isCut ? text.slice(0, most) : text, isCut, bytes: bytesOf(text) };
}

/** @param {unknown} value @returns {string} */
export function previewOf(value) {
  return cut(value instanceof CutValue ? value.text : JSON.stringify(value), PREVIEW);
}

/**
 * @param {string} text
 * @param {number} most
 * @returns {string} with an ellipsis as its last character where it was cut
 */
export function cut(text, most) {
  return text.length > most ? copyOf(`${text.slice(0, most - 1)}…`) : text;
}

/**
 * The beginning of a text as one of its own: a slice would keep the whole alive.
 * @param {string} beginning
 */
function copyOf(beginning) {
  return new TextDecoder().decode(new TextEncoder().encode(beginning));
}

/** @param {string} text @returns {number} bytes of UTF-8 */
function bytesOf(text) {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // Each unit of a surrogate pair is two of its four bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}
