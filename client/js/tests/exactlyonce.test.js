import assert from "node:assert/strict";
import { test } from "node:test";

import { matches } from "../src/protocol/topics.js";
import { event, FakeBroker } from "./fakebroker.js";
import { turn } from "./rig.js";

const PATTERNS = ["#", "a.*", "b"];
const TOPICS = ["a.x", "a.y", "b", "c.z"];
const STEPS = 120;

/** Numbers that look random, the same ones for the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A broker with a log. What it says waits in a lane, and a cut takes what is in it away. The position that the
 * live subscriptions share may be behind one that has just read the past.
 */
class LoggingBroker extends FakeBroker {
  acks = false;
  log = [];
  #connection = null;
  #taken = 0;
  #subs = new Map();
  #lane = [];
  #shared = 0;

  publish(topic) {
    this.cursor = `e1:${this.log.push(topic)}`;
  }

  /** Bring the shared position up to the head. */
  share() {
    this.#listen();
    for (; this.#shared < this.log.length; this.#shared += 1) {
      const topic = this.log[this.#shared];
      const wanted = [...this.#subs.values()].some((pattern) => matches(pattern, topic));
      if (wanted) this.#lane.push(event(topic, this.#shared + 1));
    }
  }

  /** Say the next so many messages. */
  deliver(count) {
    this.#listen();
    this.last?.say(...this.#lane.splice(0, count));
  }

  /** Whether all is said, and all that was asked is answered. */
  get silent() {
    this.#listen();
    return this.#lane.length === 0 && this.#shared === this.log.length;
  }

  #listen() {
    if (this.last !== this.#connection) {
      this.#connection = this.last;
      this.#taken = 0;
      this.#subs.clear();
      this.#lane = [];
      this.#shared = this.log.length;
    }
    const sent = this.last?.sent ?? [];
    for (const message of sent.slice(this.#taken)) {
      if (message.type === "subscribe") this.#subscribe(message);
      if (message.type === "unsubscribe") this.#subs.delete(message.subs[0]);
    }
    this.#taken = sent.length;
  }

  #subscribe({ id, subscriptions }) {
    const results = subscriptions.map(({ sub, from }) => ({ sub, cursor: from.cursor ?? "e1:0" }));
    this.#lane.push({ type: "ack", id, results });
    for (const { sub, pattern, from } of subscriptions) {
      const begin = Number((from.cursor ?? "e1:0").split(":")[1]);
      this.log.forEach((topic, place) => {
        if (place >= begin && matches(pattern, topic)) this.#lane.push(event(topic, place + 1, { sub }));
      });
      this.#lane.push({ type: "live", sub, cursor: this.cursor });
      this.#subs.set(sub, pattern);
    }
  }
}

/** Reads one event at a time, when it is told to. */
class Reader {
  seen = [];
  #events;
  #busy = false;

  constructor(events) {
    this.#events = events;
  }

  read() {
    if (this.#busy) return;
    this.#busy = true;
    void this.#events.next().then(({ done, value }) => {
      if (!done) this.seen.push(value.seq);
      this.#busy = false;
    });
  }
}

/** One step of a run: the broker, the network or a reader does something. */
async function step(draw, broker, readers) {
  const kind = draw();
  if (kind < 0.3) broker.publish(TOPICS[Math.floor(draw() * TOPICS.length)]);
  else if (kind < 0.4) broker.share();
  else if (kind < 0.65) broker.deliver(Math.ceil(draw() * 4));
  else if (kind < 0.93) readers[Math.floor(draw() * readers.length)].read();
  else {
    broker.deliver(0);
    await broker.last.cut();
    await turn();
    await broker.advance(500);
  }
  if (draw() < 0.5) await turn();
}

/** Let everything be said and read. */
async function settle(broker, readers) {
  await broker.advance(500);
  for (let idle = 0; idle < 5; idle = broker.silent ? idle + 1 : 0) {
    broker.share();
    broker.deliver(1);
    for (let count = 0; count < 4; count += 1) {
      for (const reader of readers) reader.read();
      await turn();
    }
  }
}

for (let seed = 1; seed <= 25; seed += 1) {
  test(`over losses, slow readers read every matching event once and in order, run ${seed}`, async () => {
    const draw = random(seed);
    const broker = new LoggingBroker();
    const client = await broker.connect();
    const options = { from: "start", buffer: 3 };
    const readers = PATTERNS.map((pattern) => new Reader(client.subscribe(pattern, options)));
    for (let count = 0; count < STEPS; count += 1) await step(draw, broker, readers);
    await settle(broker, readers);
    PATTERNS.forEach((pattern, place) => {
      const due = broker.log.flatMap((topic, before) => (matches(pattern, topic) ? [before + 1] : []));
      assert.deepEqual(readers[place].seen, due);
    });
    await client.disconnect();
  });
}
