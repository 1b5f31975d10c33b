/**
 * What the model takes: the SDK's Event, or anything of its shape.
 * @typedef {object} TopicEvent
 * @property {string} topic
 * @property {any} data
 * @property {number|null} seq  null: ephemeral
 * @property {number} ts
 * @property {string|null} sender
 * @property {Readonly<Record<string, string>>} headers
 * @property {number} skipped
 * @property {boolean} clear
 */

/** @param {unknown} value @returns {string|null} */
export function textOf(value) {
  return typeof value === "string" ? value : null;
}

/** @param {unknown} value @returns {number|null} */
export function numberOf(value) {
  return typeof value === "number" ? value : null;
}

/** @param {unknown} value @returns {unknown[]} */
export function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/**
 * The fields of a value that may be anything; a value that has none has no fields.
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function fieldsOf(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? /** @type {Record<string, unknown>} */ (value)
    : NO_FIELDS;
}

/** @type {Record<string, unknown>} */
const NO_FIELDS = Object.freeze({});
