import assert from "node:assert/strict";
import { test } from "node:test";

import { OpenBranches, parentOf } from "../../../broker/dashboard/parts/branches.js";

test("a branch opens and closes, and each is told", () => {
  let told = 0;
  const branches = new OpenBranches(() => (told += 1));
  branches.turn({ path: "agent", isOpen: false });
  assert.deepEqual(branches.paths, ["agent"]);
  branches.turn({ path: "agent", isOpen: true });
  assert.deepEqual(branches.paths, []);
  assert.equal(told, 2);
});

test("what is closed closes those below it and nobody else", () => {
  const branches = new OpenBranches(() => {});
  for (const path of ["agent", "agent.a1", "agents", "agent.a1.log"]) branches.turn({ path, isOpen: false });
  branches.turn({ path: "agent", isOpen: true });
  assert.deepEqual(branches.paths, ["agents"]);
});

test("a branch that a filter holds open can be closed without harm", () => {
  const branches = new OpenBranches(() => {});
  branches.turn({ path: "agent", isOpen: true });
  assert.deepEqual(branches.paths, []);
});

test("of very many open branches the oldest are forgotten", () => {
  const branches = new OpenBranches(() => {});
  for (let index = 0; index < 600; index += 1) branches.turn({ path: `t${index}`, isOpen: false });
  assert.equal(branches.paths.length, 500);
  assert.equal(branches.paths[0], "t100");
});

test("the parent of a path is what stands before its last dot", () => {
  assert.equal(parentOf("agent.a1.status"), "agent.a1");
  assert.equal(parentOf("agent"), "");
});
