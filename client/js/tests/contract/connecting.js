import { check, equal, next, rejected, soon } from "./expect.js";

/** A WebSocket that something on the way does not let through, and how often it was tried. */
function blocked() {
  const tried = { times: 0 };
  class BlockedWebSocket extends EventTarget {
    readyState = 0;
    bufferedAmount = 0;

    constructor() {
      super();
      tried.times += 1;
      setTimeout(() => {
        this.readyState = 3;
        this.dispatchEvent(new Event("error"));
        this.dispatchEvent(Object.assign(new Event("close"), { code: 1006, reason: "", wasClean: false }));
      });
    }

    send() {}

    close() {}
  }
  return { WebSocket: BlockedWebSocket, tried };
}

/** @type {import("./cases.js").Case[]} */
export const connecting = [
  {
    name: "a client is welcomed and knows with whom it speaks",
    async run(t) {
      const client = await t.connect({ name: "contract" });
      check(client.isReady, "a connected client is ready");
      equal(client.state, "ready");
      check(/^[0-9a-f]{12}$/.test(client.id ?? ""), `expected an id, got ${client.id}`);
      equal(client.server?.name, "swarmwire");
      equal(client.identity?.permissions.publish, ["#"]);
      check(client.url === t.url, `expected ${t.url}, got ${client.url}`);
      check(typeof (await client.ping()) === "number", "a ping takes its time in milliseconds");
    },
  },
  {
    name: "versions that the broker does not speak are refused for good",
    async run(t) {
      const connected = t.connect({ versions: ["7", "2.1"], retryFirst: true });
      const error = await rejected(connected, "UNSUPPORTED_VERSION");
      equal(error.versions, ["1"]);
    },
  },
  {
    name: "a version of the broker is found among others",
    async run(t) {
      const client = await t.connect({ versions: ["3", "1", "2"] });
      check(client.isReady, "version 1 is spoken by both");
    },
  },
  {
    name: "a refused login is final",
    broker: { login: true },
    async run(t) {
      await rejected(t.connect({ token: "not.a.token", retryFirst: true }), "AUTHENTICATION_FAILED");
      await rejected(t.connect({ retryFirst: true }), "AUTHENTICATION_FAILED");
    },
  },
  {
    name: "a token says who publishes",
    broker: { login: true },
    async run(t) {
      const alice = await t.connect({ token: await t.token({ sub: "alice" }) });
      const events = alice.subscribe(t.topic("who"));
      await events.ready;
      await alice.publish(t.topic("who"), 1);
      const step = await soon(events[Symbol.asyncIterator]().next(), "the event");
      equal(step.value.sender, "alice");
      equal(alice.identity?.subject, "alice");
    },
  },
  {
    name: "where nobody listens the first attempt fails with UNAVAILABLE",
    broker: { own: true },
    async run(t) {
      await t.broker.kill();
      await rejected(t.connect({ connectTimeoutMs: 3000 }), "UNAVAILABLE");
    },
  },
  {
    name: "retryFirst waits for a broker that comes later",
    broker: { own: true },
    async run(t) {
      await t.broker.kill();
      const connected = t.connect({ retryFirst: true, baseDelayMs: 20, maxDelayMs: 100 });
      await t.broker.start();
      check((await soon(connected, "the connection")).isReady, "it is connected");
    },
  },
  {
    name: "a URL of an unknown scheme is refused at once",
    async run(t) {
      const error = await rejected(t.connect({ retryFirst: true }, "gopher://nowhere"), "INVALID_MESSAGE");
      equal(error.field, "url");
    },
  },
  {
    name: "where WebSockets are blocked a client goes on over HTTP",
    ways: ["ws"],
    async run(t) {
      const { WebSocket, tried } = blocked();
      const client = await t.connect({ WebSocket });
      equal(tried.times, 2);
      const events = client.subscribe(t.topic("blocked.*"), { from: "start" });
      await events.ready;
      await client.publish(t.topic("blocked.a"), "through");
      const step = await soon(events[Symbol.asyncIterator]().next(), "the event");
      equal(step.value.data, "through");
      equal(await client.call("rpc.list", { method: "no.such" }), { methods: [] });
    },
  },
  {
    name: "without fallback a blocked WebSocket is UNAVAILABLE",
    ways: ["ws"],
    async run(t) {
      await rejected(t.connect({ WebSocket: blocked().WebSocket, fallback: false }), "UNAVAILABLE");
    },
  },
  {
    name: "client events tell the way of a connection",
    broker: { own: true },
    async run(t) {
      const client = await t.connect({ baseDelayMs: 20, maxDelayMs: 100 });
      const [lost, again] = [next(client, "disconnected"), next(client, "reconnecting")];
      const connected = next(client, "connected");
      const first = client.id;
      // Over HTTP a loss is told by a stream, or by what is asked next.
      await client.subscribe(t.topic("news")).ready;
      await t.broker.kill();
      await lost;
      equal((await again).attempt, 1);
      equal(client.state, "reconnecting");
      await t.broker.start();
      const { id } = await connected;
      check(id !== first && id === client.id, "every connection has a name of its own");
      equal(client.state, "ready");
    },
  },
];
