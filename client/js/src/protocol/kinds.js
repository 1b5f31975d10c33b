/**
 * Kinds of JSON values, to check what is read and what is to be written.
 *
 * A kind takes a value and the path where it stands, and gives what is kept of it: of a record the known
 * fields that are set. It throws INVALID_MESSAGE, with the path as `field`, for what is not of its kind.
 *
 * @typedef {(value: unknown, path: string) => unknown} Kind
 * @typedef {Record<string, unknown>} Fields
 * @typedef {object} Optional a field that may be missing
 * @property {Kind} kind
 * @property {unknown} usual its default, which is left out
 * @property {boolean} isNullMissing whether null counts as missing, or is a value like others
 * @typedef {((value: unknown, path: string) => Fields) & {fields: Record<string, Kind | Optional>}} Shape the
 *   kind of a record
 */

import { SwarmwireError } from "./errors.js";

// With the flag `u` a pair of surrogates is one character, so this finds the lone ones.
const SURROGATE = /[\ud800-\udfff]/u;

/**
 * Whether this is a Unicode text, which UTF-8 can hold: one without lone surrogates.
 *
 * @param {string} value
 */
export function isUnicode(value) {
  return !SURROGATE.test(value);
}

/**
 * The error for a value at this path.
 *
 * @param {string} sentence
 * @param {string} path empty for the whole message
 */
export function invalid(sentence, path) {
  return new SwarmwireError("INVALID_MESSAGE", sentence, path === "" ? {} : { field: path });
}

/**
 * The error for a value that is not what was expected.
 *
 * @param {string} expected
 * @param {unknown} value
 * @param {string} path
 */
export function misfit(expected, value, path) {
  return invalid(`Expected ${expected}, got ${describe(value)}.`, path);
}

/** @param {unknown} value */
function describe(value) {
  if (value === null || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  if (Array.isArray(value)) {
    return "an array";
  }
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** @type {Kind} any value but undefined, which is a missing field */
export const anything = (value) => value;

/** @type {Kind} */
export const text = (value, path) => {
  if (typeof value !== "string") {
    throw misfit("a string", value, path);
  }
  if (!isUnicode(value)) {
    throw invalid("Expected valid Unicode, got a lone surrogate.", path);
  }
  return value;
};

/** @type {Kind} */
export const flag = (value, path) => {
  if (typeof value !== "boolean") {
    throw misfit("true or false", value, path);
  }
  return value;
};

/** @type {Kind} */
export const integer = (value, path) => {
  if (!Number.isSafeInteger(value)) {
    throw misfit("a whole number", value, path);
  }
  return value;
};

/** @type {Kind} */
export const finite = (value, path) => {
  if (!Number.isFinite(value)) {
    throw misfit("a finite number", value, path);
  }
  return value;
};

/**
 * @param {Kind} kind a kind of number
 * @param {number} lowest
 * @param {number} highest
 * @returns {Kind}
 */
export function between(kind, lowest, highest) {
  return (value, path) => {
    const number = /** @type {number} */ (kind(value, path));
    if (number < lowest || number > highest) {
      const range = highest === Infinity ? `${lowest} or more` : `${lowest} to ${highest}`;
      throw misfit(`a number of ${range}`, value, path);
    }
    return value;
  };
}

/** A whole number from 0 to 2^53 - 1. */
export const count = between(integer, 0, Number.MAX_SAFE_INTEGER);

/**
 * @param {readonly string[]} words
 * @returns {Kind}
 */
export function oneOf(...words) {
  return (value, path) => {
    if (!words.includes(/** @type {string} */ (value))) {
      const got = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : describe(value);
      throw invalid(`Expected one of ${words.join(", ")}; got ${got}.`, path);
    }
    return value;
  };
}

/**
 * @param {Kind} kind
 * @returns {Kind}
 */
export function listOf(kind) {
  /** @type {Kind} */
  const list = (value, path) => {
    if (!Array.isArray(value)) {
      throw misfit("an array", value, path);
    }
    return value.map((item, place) => kind(item, `${path}[${place}]`));
  };
  return Object.assign(list, { item: kind });
}

/**
 * An object of any keys. It is kept as it is, so that a key like `__proto__` does no harm.
 *
 * @param {Kind} kind that of its values
 * @returns {Kind}
 */
export function mapOf(kind) {
  return (value, path) => {
    for (const item of Object.values(fieldsOf(value, path))) {
      kind(item, `${path}[...]`);
    }
    return value;
  };
}

/**
 * A string where it is one, else a record.
 *
 * @param {Kind} record
 * @returns {Kind}
 */
export function textOr(record) {
  return (value, path) => (typeof value === "string" ? value : record(value, path));
}

/**
 * @param {Kind} kind
 * @param {unknown} [usual]
 * @returns {Optional}
 */
export function optional(kind, usual) {
  return { kind, usual, isNullMissing: true };
}

/**
 * A field that may be missing, and of which null is a value like others.
 *
 * @param {Kind} kind
 * @returns {Optional}
 */
export function optionalOrNull(kind) {
  return { kind, usual: undefined, isNullMissing: false };
}

/**
 * An object of known fields. Unknown ones are left out, and so are optional ones that are null or have their
 * usual value.
 *
 * @param {Record<string, Kind | Optional>} fields shown again, for who wants to know the shape
 * @returns {Shape}
 */
export function record(fields) {
  const table = Object.entries(fields).map(([name, field]) => {
    const isRequired = typeof field === "function";
    return { name, isRequired, ...(isRequired ? optionalOrNull(field) : field) };
  });
  /** @type {(value: unknown, path: string) => Fields} */
  const kind = (value, path) => {
    const given = fieldsOf(value, path);
    /** @type {Fields} */
    const kept = {};
    for (const { name, isRequired, kind, usual, isNullMissing } of table) {
      const part = given[name];
      const place = path === "" ? name : `${path}.${name}`;
      if (part === undefined && isRequired) {
        throw invalid(`Expected the field ${name}, which is missing.`, place);
      }
      if (part !== undefined && !(part === null && isNullMissing)) {
        const taken = kind(part, place);
        if (taken !== usual) {
          kept[name] = taken;
        }
      }
    }
    return kept;
  };
  return Object.assign(kind, { fields });
}

/**
 * @param {unknown} value
 * @param {string} path
 * @returns {Fields}
 */
function fieldsOf(value, path) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw misfit("an object", value, path);
  }
  return /** @type {Fields} */ (value);
}
