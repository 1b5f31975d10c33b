import { Client } from "../src/client.js";
import { Presence } from "../src/presence.js";
import { FakeClock, turn } from "./rig.js";

const URL = "ws://broker.test/ws";

/** A broker that a test plays: it greets and acknowledges by itself, unless it is told not to. */
export class FakeBroker {
  clock = new FakeClock();
  world = new FakeWorld();
  connections = [];
  /** The URLs and options of all attempts. */
  attempts = [];
  /** What attempts fail with. */
  refusal = null;
  greets = true;
  acks = true;
  cursor = "e1:0";
  welcome = {};
  limits = {};

  dial = async (url, hooks, options) => {
    this.attempts.push({ url, options });
    if (this.refusal !== null) throw this.refusal;
    const connection = new FakeConnection(this, hooks);
    this.connections.push(connection);
    return connection;
  };

  /** The present connection. */
  get last() {
    return this.connections.at(-1);
  }

  /** A client that was not yet started. Its waits are as long as they may be, not drawn at random. */
  client(options = {}, url = URL) {
    const presence = new Presence(this.world);
    return new Client(url, options, { dial: this.dial, presence, clock: this.clock, draw: () => 1 });
  }

  /** A client that is connected. */
  connect(options) {
    return this.client(options).start();
  }

  /** Let time go by, and let everything that can go on do so. */
  async advance(ms) {
    this.clock.advance(ms);
    await turn();
    await turn();
  }
}

/** One connection, as its broker sees it. */
class FakeConnection {
  kind = "websocket";
  buffered = 0;
  sent = [];
  closed = null;
  aborted = false;
  #broker;
  #hooks;

  constructor(broker, hooks) {
    this.#broker = broker;
    this.#hooks = hooks;
  }

  // ---- What the client does

  send(text) {
    if (this.closed !== null || this.aborted) return;
    const message = JSON.parse(text);
    this.sent.push(message);
    if (message.type === "hello" && this.#broker.greets) this.greet();
    if (message.type === "subscribe" && this.#broker.acks) this.accept(message);
  }

  close(code, reason) {
    this.closed = { code, reason };
    this.#end(code, reason, true);
  }

  abort() {
    this.aborted = true;
    this.#end(1006, "", false);
  }

  // ---- What the broker does

  /** Say something, at once or not at all. */
  say(...messages) {
    for (const message of messages) this.#hooks?.onMessage(JSON.stringify(message));
  }

  greet(changes = {}) {
    const { cursor, limits, welcome } = this.#broker;
    const common = { max_message_bytes: 1_000_000, dedupe_ms: 60_000, ...limits };
    this.say({ ...WELCOME, cursor, limits: common, ...welcome, ...changes });
  }

  /** Acknowledge all subscriptions of a message, each where it asked to begin. */
  accept({ id, subscriptions }, cursor = this.#broker.cursor) {
    const results = subscriptions.map(({ sub, from }) => ({ sub, cursor: from?.cursor ?? cursor }));
    this.say({ type: "ack", id, results });
  }

  /** Cut it without a word. */
  async cut(code = 1006, reason = "") {
    this.#end(code, reason, false);
    await turn();
  }

  /** End it as it is meant to be. */
  async bye(code, { error, ...more } = {}) {
    if (error !== undefined) this.say({ type: "error", message: "No.", ...error });
    this.say({ type: "bye", code, reason: "So be it.", ...more });
    await this.cut(code);
  }

  // ---- Looking

  of(type) {
    return this.sent.filter((message) => message.type === type);
  }

  /** All that was asked for in subscribes, as items. */
  get asked() {
    return this.of("subscribe").flatMap(({ subscriptions }) => subscriptions);
  }

  /** The wire's names of the subscriptions to a pattern, the latest last. */
  names(pattern) {
    return this.asked.filter((item) => item.pattern === pattern).map(({ sub }) => sub);
  }

  #end(code, reason, clean) {
    const hooks = this.#hooks;
    this.#hooks = null;
    if (hooks !== null) queueMicrotask(() => hooks.onClose({ code, reason, clean }));
  }
}

/** The global scope of a page: what `Presence` looks at. */
export class FakeWorld extends EventTarget {
  navigator = { onLine: true };
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });

  network(onLine) {
    this.navigator.onLine = onLine;
    this.dispatchEvent(new globalThis.Event(onLine ? "online" : "offline"));
  }

  show(visibilityState) {
    this.document.visibilityState = visibilityState;
    this.document.dispatchEvent(new globalThis.Event("visibilitychange"));
  }
}

const WELCOME = {
  type: "welcome",
  version: "1",
  client_id: "aaaaaaaaaaaa",
  server: { id: "b1", name: "fake", version: "0", pid: 1, ppid: 0 },
  heartbeat_ms: 0,
  identity: { subject: "alice", permissions: { publish: ["#"], subscribe: ["#"], call: ["#"] } },
  durability: "accepted",
  features: [],
};

/** An event as the broker sends it; `place` is its seq, null for an ephemeral one. */
export function event(topic, place, more = {}) {
  const seq = place === null ? {} : { seq: place };
  return { type: "event", topic, ts: 1_790_000_000_000, data: place, from: "bob", ...seq, ...more };
}

/** Keeps what happens, as pairs of name and detail. */
export function heard(client, ...names) {
  const told = [];
  for (const name of names) client.listen(name, (detail) => told.push([name, detail]));
  return told;
}

/** The next so many items of an iterator. */
export async function take(iterator, count) {
  const items = [];
  for (let place = 0; place < count; place += 1) {
    const { done, value } = await iterator.next();
    if (done) break;
    items.push(value);
  }
  return items;
}

/** The seqs of the next so many events. */
export async function seqs(iterator, count) {
  return (await take(iterator, count)).map(({ seq }) => seq);
}
