import { Caller } from "../src/caller.js";
import { Core } from "../src/core.js";
import { Handlers } from "../src/handlers.js";
import { encode } from "../src/protocol/codec.js";
import { Disconnected } from "../src/protocol/errors.js";
import { Publisher } from "../src/publisher.js";
import { Requests } from "../src/requests.js";

/** A clock that stands still until a test moves it. */
export class FakeClock {
  steady = 1000;
  wall = 1_790_000_000_000;
  #timers = new Set();

  now = () => this.steady;
  date = () => this.wall;
  soon = (fn) => setImmediate(fn);

  after = (ms, fn) => {
    const timer = { at: this.steady + ms, fn };
    if (ms !== Infinity) this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Timers that nobody took back and that have not fired. */
  get pending() {
    return this.#timers.size;
  }

  /** Let time go by, and fire what is due in its order. */
  advance(ms) {
    const until = this.steady + ms;
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#timers.delete(timer);
      this.#move(timer.at);
      timer.fn();
    }
    this.#move(until);
  }

  #next(until) {
    const due = [...this.#timers].filter((timer) => timer.at <= until);
    return due.sort((first, second) => first.at - second.at)[0];
  }

  #move(steady) {
    this.wall += steady - this.steady;
    this.steady = steady;
  }
}

/** Keeps what is sent; `buffered` is what a test says it is. */
export class FakeWire {
  buffered = 0;
  sent = [];

  send(message) {
    this.write(encode(message));
  }

  write(text) {
    this.sent.push(JSON.parse(text));
  }

  /** What was sent of this type, in its order. */
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }

  last(type) {
    return this.of(type).at(-1);
  }
}

const WELCOME = {
  type: "welcome",
  version: "1",
  client_id: "aaaaaaaaaaaa",
  server: { id: "b1", name: "fake", version: "0", pid: 1, ppid: 0 },
  cursor: "e1:0",
  heartbeat_ms: 0,
  limits: { max_message_bytes: 1_000_000, dedupe_ms: 10_000, max_call_timeout_ms: 86_400_000 },
  identity: { subject: "alice", permissions: { publish: ["#"], subscribe: ["#"], call: ["#"] } },
  durability: "accepted",
  features: [],
};

/** The parts of a client that ask and publish, on a connection of which a test plays the broker. */
export class Rig {
  clock = new FakeClock();
  reports = [];
  /** @type {FakeWire} */
  wire = new FakeWire();

  constructor(settings = {}) {
    const usual = { queueSize: 1000, offlineQueue: 1000, requestTimeoutMs: 30_000 };
    this.core = new Core({ ...usual, ...settings }, this.clock);
    this.requests = new Requests(this.core);
    this.handlers = new Handlers(this.core, this.requests);
    this.publisher = new Publisher(this.core, this.requests);
    this.caller = new Caller(this.core, this.requests);
    this.core.attach({ requests: this.requests, handlers: this.handlers });
    this.core.emitter.listen("error", (error) => this.reports.push(error));
  }

  /** A new connection; returns its wire. */
  connect({ limits, ...changes } = {}) {
    this.wire = new FakeWire();
    this.core.connected(this.wire, { ...WELCOME, ...changes, limits: { ...WELCOME.limits, ...limits } });
    return this.wire;
  }

  lose() {
    this.core.lost(new Disconnected("The connection was cut."));
  }

  /** The broker says something. */
  say(message) {
    this.core.receive(JSON.stringify(message));
  }

  ack({ id }, seq) {
    this.say({ type: "ack", id, seq });
  }

  refuse({ id }, code, more = {}) {
    this.say({ type: "error", id, code, message: "No.", ...more });
  }
}

/** Lets everything that can go on do so. */
export function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What became of each: its value, its error, or undefined while that is open. */
export async function outcomes(...promises) {
  const told = promises.map(() => undefined);
  promises.forEach((promise, place) => {
    promise.then(
      (value) => (told[place] = value),
      (error) => (told[place] = error),
    );
  });
  await turn();
  return told;
}

/** The codes of errors, and whatever else came as it is. */
export async function codes(...promises) {
  return (await outcomes(...promises)).map((outcome) => (outcome instanceof Error ? outcome.code : outcome));
}
