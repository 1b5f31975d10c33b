import assert from "node:assert/strict";
import { test } from "node:test";

import { headersOf } from "../../broker/dashboard/parts/headers.js";

test("a header is a line, its value may hold colons, and empty lines are passed over", () => {
  assert.deepEqual(headersOf("trace: 4bf9\n\n  url :  http://a:1/  \nempty:"), {
    headers: { trace: "4bf9", url: "http://a:1/", empty: "" },
    fault: "",
  });
});

test("what is no header is told with its line, and nothing is taken", () => {
  assert.deepEqual(headersOf("a: 1\ntrace"), {
    headers: {},
    fault: 'Line 2: a name, a colon and a value are expected, not "trace".',
  });
  assert.match(headersOf(": 1").fault, /^Line 1/);
});

test("a name that stands twice is told: the second would take the place of the first", () => {
  assert.equal(headersOf("a: 1\na: 2").fault, 'Line 2: the header "a" stands there twice.');
});
