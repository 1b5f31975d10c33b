/** What users hand over as data: whether JSON, and the broker, can take it. */

import { invalid, isUnicode } from "./kinds.js";

/** How deeply arrays and objects may nest in `data`, `params` and the like. */
export const MAX_DEPTH = 128;

/** @typedef {{where: string, what: string}} Fault the path below the value, and what was expected and came */

/**
 * A value that can be written as JSON without losing a part of it.
 *
 * As JavaScript has it, what has a `toJSON` is written as that says, and a property that is undefined is left
 * out. Throws INVALID_MESSAGE for everything that `JSON.stringify` would bend, drop or choke on (NaN,
 * undefined in an array, functions, bigints, maps and sets, cycles), and for what the broker refuses: more
 * than `MAX_DEPTH` levels, and text with lone surrogates.
 *
 * @type {import("./kinds.js").Kind}
 */
export const json = (value, path) => {
  const fault = faultOf(value, MAX_DEPTH);
  if (fault !== null) {
    throw invalid(`Expected ${fault.what} at ${path}${fault.where}.`, path);
  }
  return value;
};

/**
 * @param {unknown} value
 * @param {number} levels that may still nest
 * @returns {Fault | null}
 */
function faultOf(value, levels) {
  switch (typeof value) {
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(value) ? null : { where: "", what: `a finite number, got ${value}` };
    case "string":
      return textFault(value);
    case "object":
      return value === null ? null : objectFault(value, levels);
    default:
      return { where: "", what: `a value that JSON can hold, got ${typeof value}` };
  }
}

/**
 * @param {string} text
 * @returns {Fault | null}
 */
function textFault(text) {
  return isUnicode(text) ? null : { where: "", what: "valid Unicode, got a lone surrogate" };
}

/**
 * @param {object} value
 * @param {number} levels
 * @returns {Fault | null}
 */
function objectFault(value, levels) {
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return faultOf(value.toJSON(""), levels);
  }
  if (value instanceof Map || value instanceof Set) {
    return { where: "", what: `a value that JSON can hold, got a ${value.constructor.name}` };
  }
  if (levels === 0) {
    return { where: "", what: `at most ${MAX_DEPTH} levels of nesting, got more` };
  }
  return Array.isArray(value) ? itemFault(value, levels - 1) : fieldFault(value, levels - 1);
}

/**
 * @param {unknown[]} items
 * @param {number} levels
 * @returns {Fault | null}
 */
function itemFault(items, levels) {
  for (let place = 0; place < items.length; place += 1) {
    const fault = faultOf(items[place], levels);
    if (fault !== null) {
      return { where: `[${place}]${fault.where}`, what: fault.what };
    }
  }
  return null;
}

/**
 * @param {object} fields
 * @param {number} levels
 * @returns {Fault | null}
 */
function fieldFault(fields, levels) {
  for (const [name, value] of Object.entries(fields)) {
    const fault = value === undefined ? null : (textFault(name) ?? faultOf(value, levels));
    if (fault !== null) {
      return { where: `.${name.slice(0, 60)}${fault.where}`, what: fault.what };
    }
  }
  return null;
}
