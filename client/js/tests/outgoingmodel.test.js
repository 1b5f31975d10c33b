import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "./protocol/random.js";
import { Rig, turn } from "./rig.js";

const DEDUPE_MS = 10_000;
const STEPS = 400;
const SEEDS = 60;

/** A broker that keeps the promises of the protocol and no others: what is on its way may be lost. */
class ModelBroker {
  /** What every log, also those that were recreated, has held. */
  written = [];
  refused = new Set();
  epoch = 1;
  #seq = 0;
  #keys = new Map();

  constructor(random, clock) {
    this.random = random;
    this.clock = clock;
  }

  recreate() {
    this.epoch += 1;
    this.#seq = 0;
    this.#keys.clear();
  }

  /** Decide a publish; returns the answer. */
  take({ id, key, data }) {
    if (this.random.next() < 0.15) {
      this.refused.add(data);
      const retry_after_ms = this.random.of([undefined, 5, 500, 5000]);
      return { type: "error", id, code: "RATE_LIMIT_EXCEEDED", message: "No.", retry_after_ms };
    }
    const known = this.#keys.get(key);
    if (known !== undefined && this.clock.now() - known.at <= DEDUPE_MS) {
      return { type: "ack", id, seq: known.seq, duplicate: true };
    }
    this.#seq += 1;
    this.#keys.set(key, { seq: this.#seq, at: this.clock.now() });
    this.written.push({ data, place: `${this.epoch}:${this.#seq}` });
    return { type: "ack", id, seq: this.#seq };
  }
}

/** A client and a broker, and what is on its way between them. */
class World {
  rig = new Rig({ offlineQueue: 20, requestTimeoutMs: 20_000 });
  outcomes = [];
  #connected = false;
  #read = 0;
  #answers = [];

  constructor(random) {
    this.random = random;
    this.broker = new ModelBroker(random, this.rig.clock);
  }

  publish() {
    const number = this.outcomes.length;
    this.outcomes.push(null);
    this.rig.publisher.publish("a", number).then(
      ({ seq }) => (this.outcomes[number] = { seq }),
      (error) => (this.outcomes[number] = { error }),
    );
  }

  /** The broker reads so many messages. */
  read(count) {
    const messages = this.rig.wire.sent.slice(this.#read, this.#read + count);
    this.#read += messages.length;
    for (const message of messages) this.#answers.push(this.broker.take(message));
  }

  /** So many answers arrive. */
  hear(count) {
    for (const answer of this.#answers.splice(0, count)) this.rig.say(answer);
  }

  /** What the broker has not read by then, and what it answered meanwhile, is gone. */
  lose() {
    if (!this.#connected) return;
    this.#connected = false;
    this.read(this.random.between(0, 5));
    this.#answers = [];
    this.rig.lose();
  }

  connect() {
    if (this.#connected) return;
    this.#connected = true;
    this.#read = 0;
    if (this.random.next() < 0.1) this.broker.recreate();
    this.rig.connect({ cursor: `e${this.broker.epoch}:0`, limits: { dedupe_ms: DEDUPE_MS } });
  }

  /** Nothing is on its way to the broker for so long that its memory of a key could end before. */
  pass(ms) {
    if (this.#connected) this.read(Infinity);
    this.rig.clock.advance(ms);
  }

  step() {
    const few = this.random.between(1, 4);
    const chance = this.random.next();
    if (chance < 0.4) this.publish();
    else if (chance < 0.55) this.#connected && this.read(few);
    else if (chance < 0.75) this.hear(few);
    else if (chance < 0.85) this.pass(this.random.of([1, 20, 800]));
    else if (chance < 0.92) this.lose();
    else this.connect();
  }

  /** Go on until everything is decided. */
  async settle() {
    this.connect();
    for (let round = 0; this.outcomes.includes(null) && round < 1000; round += 1) {
      this.pass(100);
      this.hear(Infinity);
      await turn();
    }
  }
}

function isRising(numbers) {
  return numbers.every((number, place) => place === 0 || number > numbers[place - 1]);
}

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`whatever is lost, each publish is told the truth: seed ${seed}`, async () => {
    const world = new World(new Random(seed));
    for (let step = 0; step < STEPS; step += 1) {
      world.step();
      await null;
    }
    await world.settle();
    const { written, refused } = world.broker;
    world.outcomes.forEach((outcome, number) => {
      const places = written.filter(({ data }) => data === number).map(({ place }) => place);
      assert.notEqual(outcome, null, `${number} is not decided`);
      assert(places.length <= 1, `${number} is doubled: ${places}`);
      if (outcome.error === undefined) assert.equal(places[0]?.split(":")[1], String(outcome.seq));
      else if (outcome.error.outcome === "not_done") assert.deepEqual(places, [], outcome.error.message);
    });
    // What was refused takes the place of its repeat.
    const order = written.map(({ data }) => data).filter((data) => !refused.has(data));
    assert(isRising(order), `the order is kept: ${order}`);
    assert.equal(world.rig.clock.pending, 0);
    assert.deepEqual(world.rig.reports, []);
  });
}
