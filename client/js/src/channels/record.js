/**
 * What every event of the channels carries, and how it is checked where it is published and where it is read.
 */

import { SwarmwireError } from "../protocol/errors.js";
import { between, count, finite, flag, optional, record, text } from "../protocol/kinds.js";

/**
 * @typedef {import("../protocol/kinds.js").Fields} Fields
 * @typedef {import("../protocol/kinds.js").Kind} Kind
 * @typedef {import("../protocol/kinds.js").Optional} Optional
 * @typedef {import("../protocol/kinds.js").Shape} Shape
 */

/**
 * The shape of a record, and what stands for missing fields.
 *
 * @typedef {{shape: Shape, defaults: Fields}} RecordKind
 */

/**
 * What went wrong: a sentence, and where known a code, a stack trace, and whether work can go on.
 *
 * @typedef {object} Fault
 * @property {string} message
 * @property {string} [code]
 * @property {string} [stack]
 * @property {boolean} [recoverable]
 */

/** A finite number that is not negative. */
export const number = between(finite, 0, Infinity);

export const percent = between(finite, 0, 100);

export const fault = record({
  message: text,
  code: optional(text),
  stack: optional(text),
  recoverable: optional(flag),
});

/**
 * A kind of record. Each has a `timestamp`: when it happened by the publisher's clock, in milliseconds since
 * 1970.
 *
 * @param {Record<string, Kind | Optional>} fields
 * @param {Fields} [defaults]
 * @returns {RecordKind}
 */
export function recordOf(fields, defaults = {}) {
  return { shape: record({ timestamp: count, ...fields }), defaults };
}

/**
 * The data as a record: checked, complete, and without what is unknown or optional and null.
 *
 * Throws INVALID_MESSAGE with the field at fault: `data.progress`.
 *
 * @param {RecordKind} kind
 * @param {unknown} data
 * @param {number} timestamp stands for a missing one
 */
export function checkedRecord({ shape, defaults }, data, timestamp) {
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    return shape(data, "data");
  }
  const given = Object.entries(data).filter(([, value]) => value !== undefined);
  return shape({ timestamp, ...defaults, ...Object.fromEntries(given) }, "data");
}

/**
 * The fault that an error or a sentence stands for. Of an error it holds the text and the name, never the
 * stack: that names files of this machine.
 *
 * @param {Fault | Error | string} error
 * @returns {Fault}
 */
export function faultOf(error) {
  if (typeof error === "string") {
    return { message: error };
  }
  if (error instanceof SwarmwireError) {
    return { message: error.message, code: error.code };
  }
  if (error instanceof Error) {
    return { message: error.message || error.name, code: error.name };
  }
  return error;
}
