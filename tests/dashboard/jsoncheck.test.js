import assert from "node:assert/strict";
import { test } from "node:test";

import { checkJson } from "../../broker/dashboard/parts/jsoncheck.js";

/** @param {string} text */
function placeOf(text) {
  const { fault } = checkJson(text);
  return fault && [fault.line, fault.column, fault.message];
}

/** @type {[string, number, number, string][]} */
const FAULTS = [
  ["", 1, 1, "A value is expected, not the end"],
  ["  ", 1, 3, "A value is expected, not the end"],
  ["{\n  b: 2\n}", 2, 3, 'A name in double quotes is expected, not "b"'],
  ['{"a": 1,}', 1, 9, 'A name in double quotes is expected, not "}"'],
  ['{"a" 1}', 1, 6, '":" is expected after the name, not "1"'],
  ['{"a": 1 "b": 2}', 1, 9, '"," or "}" is expected, not "\""'],
  ["[1, 2", 1, 6, '"," or "]" is expected, not the end'],
  ["[1,]", 1, 4, 'A value is expected, not "]"'],
  ["01", 1, 1, 'A value is expected, not "0"'],
  ["1 2", 1, 3, 'The value ends before "2"'],
  ["nul", 1, 1, 'A value is expected, not "n"'],
  ["nulll", 1, 1, 'A value is expected, not "n"'],
  ["[1.]", 1, 2, 'A value is expected, not "1"'],
  ["1e400", 1, 1, "The number does not fit 64 bits"],
  ['["a\nb"]', 1, 4, "A line break or control character in a text is written as an escape: \\n"],
  ['"\\x"', 1, 2, "There is no such escape"],
  ['{"a": "open}', 1, 7, "The text that begins here is not closed"],
  ["😀", 1, 1, 'A value is expected, not "😀"'],
];

for (const [text, line, column, message] of FAULTS) {
  test(`${JSON.stringify(text)} is wrong at ${line}:${column}`, () =>
    assert.deepEqual(placeOf(text), [line, column, message]));
}

test("a text of many megabytes is checked", () => {
  for (const text of ["x".repeat(12000000), "\\n".repeat(100000)]) assert.equal(placeOf(`"${text}"`), null);
});

test("as deep as the protocol allows is right, and one level deeper is wrong", () => {
  assert.equal(placeOf("[".repeat(128) + "]".repeat(128)), null);
  assert.equal(placeOf("[".repeat(129) + "]".repeat(129))?.[2], "There are more than 128 levels of nesting");
});

test("what is right has its value, and null is one", () => {
  assert.deepEqual(checkJson(' {"a": [1, -2.5e3, "\\u00e9\\n", true, null]} '), {
    value: { a: [1, -2500, "é\n", true, null] },
    fault: null,
  });
  assert.deepEqual(checkJson("null"), { value: null, fault: null });
});

test("it agrees with the engine about what is JSON, whatever is typed", () => {
  const random = numbers(7);
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"',
    "1",
    "-",
    "0",
    ".5",
    "e3",
    "true",
    "null",
    " ",
    "\n",
    "\\",
    "\t",
    "x",
  ];
  let right = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from(
      { length: 1 + Math.floor(random() * 7) },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join("");
    const isRight = checkJson(text).fault === null;
    assert.equal(isRight, isJson(text), JSON.stringify(text));
    right += Number(isRight);
  }
  assert.ok(right > 200, `only ${right} of them were JSON`);
});

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Random numbers that are the same each time. @param {number} seed */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
