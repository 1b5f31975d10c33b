import assert from "node:assert/strict";
import { test } from "node:test";

import { Tempo } from "../../../broker/dashboard/model/tempo.js";

test("little traffic is shown five times a second", () => {
  const tempo = new Tempo();
  assert.equal(tempo.choose(10, 0), true);
  assert.equal(tempo.conflateMs, 200);
  assert.equal(tempo.choose(10, 3000), false);
});

test("a flood is slowed to where four thousand events come a second", () => {
  const tempo = new Tempo();
  assert.equal(tempo.choose(10000, 0), true);
  assert.equal(tempo.conflateMs, 2000);
});

test("it slows down at once, and speeds up only after a while and where much fewer come", () => {
  const tempo = new Tempo();
  tempo.choose(10000, 0);
  assert.equal(tempo.choose(2500, 60000), false, "half as long a tick would bring twice as many");
  assert.equal(tempo.choose(100, 5000), false, "too soon");
  assert.equal(tempo.choose(100, 11000), true);
  assert.equal(tempo.conflateMs, 200);
});
