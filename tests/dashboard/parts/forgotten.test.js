import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../../broker/dashboard/format.js";
import { forgottenText } from "../../../broker/dashboard/parts/forgotten.js";

test("what was forgotten is told by its kind", () => {
  assert.equal(forgottenText({ topics: 2500, swarms: 1 }, format), "forgotten here: topics 2,500, swarms 1");
});

test("where all is kept nothing is told", () => {
  assert.equal(forgottenText({}, format), "");
});
