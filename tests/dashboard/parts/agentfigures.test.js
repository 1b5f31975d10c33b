import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../../broker/dashboard/format.js";
import { cpuText, memoryText } from "../../../broker/dashboard/parts/agentfigures.js";

test("the processor is told in percent", () => {
  assert.equal(cpuText(41.6), "42 %");
  assert.equal(cpuText(0), "0 %");
});

test("memory is bytes, or a share where it is too little for bytes", () => {
  assert.equal(memoryText(512 * 1024 * 1024, format), "512 MiB");
  assert.equal(memoryText(63.4, format), "63 %");
});

test("what was not told is a dash", () => {
  assert.equal(cpuText(null), "–");
  assert.equal(memoryText(null, format), "–");
});
