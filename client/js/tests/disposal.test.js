import assert from "node:assert/strict";
import { test } from "node:test";

import { Channel } from "../src/channels/channel.js";
import { Changes } from "../src/channels/changes.js";
import { Client } from "../src/client.js";
import { disposeBy } from "../src/disposal.js";
import { ReplyStream } from "../src/replystream.js";
import { Subscription } from "../src/subscription.js";

const skip = !Symbol.asyncDispose;

test("the end of a scope ends one object, and no other", { skip }, async () => {
  class Door {
    isOpen = true;

    async close() {
      this.isOpen = false;
    }
  }
  disposeBy(Door.prototype, Door.prototype.close);
  const [first, second] = [new Door(), new Door()];
  await first[Symbol.asyncDispose]();
  assert.deepEqual([first.isOpen, second.isOpen], [false, true]);
});

const ends = [
  [Client, "disconnect"],
  [Subscription, "return"],
  [ReplyStream, "return"],
  [Channel, "close"],
  [Changes, "close"],
];

for (const [{ name, prototype }, end] of ends) {
  test(`the end of a scope ends a ${name} as ${end}() does`, { skip }, () => {
    assert.equal(typeof prototype[end], "function");
    assert.equal(prototype[Symbol.asyncDispose], prototype[end]);
  });
}
