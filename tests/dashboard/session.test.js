import assert from "node:assert/strict";
import { test } from "node:test";

import { Session } from "../../broker/dashboard/session.js";

function world() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  /** @type {unknown[]} */
  const asked = [];
  const storage = {
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void kept.set(name, value),
    removeItem: (/** @type {string} */ name) => void kept.delete(name),
  };
  const feed = {
    connect: (/** @type {unknown} */ login) => void asked.push(login),
    logout: () => void asked.push("logout"),
  };
  return { kept, asked, session: () => new Session(storage, feed) };
}

test("without a token the broker is asked without one: it may want none", () => {
  const { asked, session } = world();
  session().resume();
  assert.deepEqual(asked, [{ token: null }]);
});

test("a token outlives a reload of the page", () => {
  const { asked, session } = world();
  const first = session();
  first.login("t1");
  first.keep();
  const reloaded = session();
  reloaded.resume();
  assert.equal(reloaded.hasToken, true);
  assert.deepEqual(asked, [{ token: "t1" }, { token: "t1" }]);
});

test("a token that the broker has not taken is kept nowhere", () => {
  const { kept, asked, session } = world();
  const one = session();
  one.login("wrong");
  assert.equal(kept.size, 0);
  one.login("t1");
  one.keep();
  assert.deepEqual([asked, [...kept.values()]], [[{ token: "wrong" }, { token: "t1" }], ["t1"]]);
});

test("who logs out leaves no token behind", () => {
  const { kept, asked, session } = world();
  const one = session();
  one.login("t1");
  assert.equal(one.hasToken, true);
  one.keep();
  one.logout();
  assert.equal(one.hasToken, false);
  assert.equal(kept.size, 0);
  assert.equal(asked.at(-1), "logout");
});
