/**
 * Topics and patterns: their grammar, which topics a pattern matches, and segments made of any text.
 *
 * A topic is segments joined by `.`: `agent.a1.status`. In a pattern the segment `*` stands for exactly one
 * segment and `#` for any number of them, none included. Topics whose first segment begins with `$` are the
 * broker's own: no pattern with a wildcard in first place matches them.
 */

import { SwarmwireError } from "./errors.js";

export { contains } from "./containment.js";

/** The longest topic or pattern, in bytes of UTF-8. */
export const MAX_TOPIC_BYTES = 512;

/** The most segments of a topic or pattern. */
export const MAX_SEGMENTS = 32;

// White space and control characters. Not `\s`, which counts the byte order mark as white space.
const BLANKS = "\\x00-\\x20\\x7f-\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const FORBIDDEN = new RegExp(`[${BLANKS}]`);
const TO_ENCODE = new RegExp(`^[*#]$|^\\$|[.%${BLANKS}]`, "g");

// With the flag `u` a pair of surrogates is one character, so this finds the lone ones.
const SURROGATE = /[\ud800-\udfff]/u;

const utf8 = new TextEncoder();

// ---- Grammar

/**
 * Throw INVALID_TOPIC unless this is a topic that can be published on, the broker's own included.
 *
 * @param {string} topic
 */
export function checkTopic(topic) {
  const wildcard = checkedSegments(topic, "topic").find(isWildcard);
  if (wildcard !== undefined) {
    refuse(`A topic has no wildcards; this one has the segment ${wildcard}.`);
  }
}

/**
 * Throw INVALID_TOPIC unless this is a pattern that can be subscribed to; every topic is one.
 *
 * @param {string} pattern
 */
export function checkPattern(pattern) {
  checkedSegments(pattern, "pattern");
}

/**
 * @param {string} text
 * @param {string} kind
 */
function checkedSegments(text, kind) {
  if (typeof text !== "string") {
    refuse(`A ${kind} is a string; this one is ${text === null ? "null" : `of type ${typeof text}`}.`);
  }
  checkSize(text, kind);
  const segments = text.split(".");
  if (segments.length > MAX_SEGMENTS) {
    refuse(`A ${kind} has at most ${MAX_SEGMENTS} segments; this one has ${segments.length}.`);
  }
  const empty = segments.indexOf("");
  if (empty >= 0) {
    refuse(`A ${kind} has no empty segments; segment ${empty + 1} of ${segments.length} is empty.`);
  }
  const bad = FORBIDDEN.exec(text);
  if (bad !== null) {
    refuse(`A ${kind} has no white space and no control characters; this one has ${nameOf(bad)}.`);
  }
  return segments;
}

/**
 * @param {string} text
 * @param {string} kind
 */
function checkSize(text, kind) {
  if (text === "") {
    refuse(`A ${kind} has 1 to ${MAX_SEGMENTS} segments; this one is empty.`);
  }
  if (text.length > MAX_TOPIC_BYTES) {
    refuse(`A ${kind} has at most ${MAX_TOPIC_BYTES} bytes; this one has ${text.length} characters.`);
  }
  const bad = SURROGATE.exec(text);
  if (bad !== null) {
    refuse(`A ${kind} is valid Unicode; this one has the lone surrogate ${nameOf(bad)}.`);
  }
  const size = utf8.encode(text).length;
  if (size > MAX_TOPIC_BYTES) {
    refuse(`A ${kind} has at most ${MAX_TOPIC_BYTES} bytes; this one has ${size}.`);
  }
}

/** @param {string} segment */
function isWildcard(segment) {
  return segment === "*" || segment === "#";
}

/** @param {RegExpExecArray} found */
function nameOf(found) {
  const digits = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return `U+${digits} at character ${found.index + 1}`;
}

/**
 * @param {string} sentence
 * @returns {never}
 */
function refuse(sentence) {
  throw new SwarmwireError("INVALID_TOPIC", sentence);
}

// ---- Matching

/**
 * Whether the pattern matches the topic; both are taken to be valid.
 *
 * @param {string} pattern
 * @param {string} topic
 */
export function matches(pattern, topic) {
  return matcher(pattern)(topic);
}

/**
 * The test whether a topic matches this pattern, for many topics.
 *
 * @param {string} pattern
 * @returns {(topic: string) => boolean}
 */
export function matcher(pattern) {
  const wanted = pattern.split(".");
  if (!wanted.some(isWildcard)) {
    return (topic) => topic === pattern;
  }
  const sparesReserved = isWildcard(wanted[0]);
  return (topic) => !(sparesReserved && topic.startsWith("$")) && fits(wanted, topic.split("."));
}

/**
 * Takes at worst as many steps as there are pairs of a segment wanted and one got.
 *
 * @param {string[]} wanted
 * @param {string[]} got
 */
function fits(wanted, got) {
  let at = 0;
  let place = 0;
  let many = -1;
  let resume = 0;
  while (place < got.length) {
    if (wanted[at] === "#") {
      many = at;
      resume = place;
      at += 1;
    } else if (wanted[at] === "*" || wanted[at] === got[place]) {
      at += 1;
      place += 1;
    } else if (many >= 0) {
      // Let the latest `#` take one segment more; an earlier one could do nothing better.
      resume += 1;
      at = many + 1;
      place = resume;
    } else {
      return false;
    }
  }
  return wanted.slice(at).every((segment) => segment === "#");
}

// ---- Segments from any text

/**
 * Any text as one segment of a topic: `gpt-4.1` becomes `gpt-4%2E1`. Each text has exactly one such segment.
 * The length is not limited here: the topic made of it is to be checked.
 *
 * Throws INVALID_TOPIC for the empty text and for one with a lone surrogate.
 *
 * @param {string} text
 */
export function encodeSegment(text) {
  if (typeof text !== "string" || text === "") {
    const got = text === "" ? "empty" : typeof text;
    refuse(`A segment is made of a text of at least one character; this is ${got}.`);
  }
  const bad = SURROGATE.exec(text);
  if (bad !== null) {
    refuse(`A segment is valid Unicode; this text has the lone surrogate ${nameOf(bad)}.`);
  }
  return text.replace(TO_ENCODE, percents);
}

/** @param {string} character */
function percents(character) {
  const bytes = [...utf8.encode(character)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

/**
 * The text that `encodeSegment` made this segment of.
 *
 * Throws INVALID_TOPIC for what it never makes, `100%` or `%61`: were these read too, one id could hide
 * behind several topics.
 *
 * @param {string} segment
 */
export function decodeSegment(segment) {
  const text = decoded(segment);
  if (text === null || encodeSegment(text) !== segment) {
    const got = JSON.stringify(segment);
    refuse(`A segment encodes what needs it and nothing else, as in "gpt-4%2E1"; ${got} does not.`);
  }
  return text;
}

/** @param {string} segment */
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
