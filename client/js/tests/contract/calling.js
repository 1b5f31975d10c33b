import { check, equal, next, numbers, rejected, soon } from "./expect.js";

/** Over HTTP nobody can be called. */
const SOCKETS = ["ws", "unix"];
const QUICK = { baseDelayMs: 20, maxDelayMs: 200 };

let methods = 0;

/** A method that no other case handles. */
function method() {
  methods += 1;
  return `contract.m${methods}-${Math.random().toString(36).slice(2)}`;
}

/**
 * @param {AsyncIterable<unknown>} replies
 */
async function all(replies) {
  const taken = [];
  for await (const reply of replies) taken.push(reply);
  return taken;
}

/** A handler that works until it is told to stop: when it has begun, and when it was told. */
function endless() {
  /** @type {(value: null) => void} */
  let begin;
  /** @type {(value: null) => void} */
  let tell;
  const begun = new Promise((resolve) => (begin = resolve));
  const told = new Promise((resolve) => (tell = resolve));
  /** @type {(params: unknown, call: { signal: AbortSignal }) => Promise<unknown>} */
  const handler = (_, { signal }) => {
    begin(null);
    signal.addEventListener("abort", () => tell(null));
    return told;
  };
  return { begun, told, handler };
}

/** @type {import("./cases.js").Case[]} */
export const calling = [
  {
    name: "the broker's own methods answer",
    async run(t) {
      const client = await t.connect();
      const { methods } = await client.call("rpc.list", { method: "rpc.list" });
      equal(methods, [{ method: "rpc.list", builtin: true, handlers: 0 }]);
      await rejected(client.call("no.such.method"), "METHOD_NOT_FOUND");
      const error = await rejected(client.call("rpc.list", { method: 7 }), "INVALID_MESSAGE");
      equal(error.field, "params.method");
    },
  },
  {
    name: "a handler answers the calls of another client",
    ways: SOCKETS,
    async run(t) {
      const [worker, caller] = [await t.connect(), await t.connect()];
      const name = method();
      const handler = worker.handle(name, (/** @type {any} */ { a, b }) => a + b);
      await handler.ready;
      const sums = await Promise.all(numbers(20).map((a) => caller.call(name, { a, b: 1 })));
      equal(sums, numbers(20).map((a) => a + 1));
      handler.close();
      handler.close();
      await worker.ping();
      await rejected(caller.call(name, { a: 1, b: 1 }), "METHOD_NOT_FOUND");
    },
  },
  {
    name: "a handler's failure is told in its own words",
    ways: SOCKETS,
    async run(t) {
      const [worker, caller] = [await t.connect(), await t.connect()];
      const { CallError } = t.sdk;
      const name = method();
      await worker.handle(name, () => {
        const parts = { field: "params.item", details: { left: 0 } };
        throw new CallError("OUT_OF_STOCK", "There are none left.", parts);
      }).ready;
      const error = await rejected(caller.call(name), "HANDLER_FAILED");
      equal(
        [error.handlerCode, error.message, error.field, error.details],
        ["OUT_OF_STOCK", "There are none left.", "params.item", { left: 0 }],
      );
    },
  },
  {
    name: "replies are streamed as they are made",
    ways: SOCKETS,
    async run(t) {
      const [worker, caller] = [await t.connect(), await t.connect()];
      const name = method();
      await worker.handle(name, async function* (/** @type {number} */ count) {
        yield* numbers(count);
      }).ready;
      equal(await soon(all(caller.callStream(name, 5)), "the replies"), numbers(5));
      equal(await soon(all(caller.callStream(name, 0)), "the end"), []);
      equal(await caller.call(name, 3), 2);
    },
  },
  {
    name: "streamed replies come over every way",
    async run(t) {
      const worker = await t.connect({}, t.socketUrl);
      const caller = await t.connect();
      const name = method();
      await worker.handle(name, async function* (/** @type {number} */ count) {
        yield* numbers(count);
      }).ready;
      equal(await soon(all(caller.callStream(name, 4)), "the replies"), numbers(4));
    },
  },
  {
    name: "a call that is given up is cancelled at its handler",
    async run(t) {
      const worker = await t.connect({}, t.socketUrl);
      const caller = await t.connect();
      const name = method();
      const { begun, told, handler } = endless();
      await worker.handle(name, handler).ready;
      const abort = new AbortController();
      const outcome = caller.call(name, null, { signal: abort.signal }).then(
        () => "answered",
        () => "given up",
      );
      await soon(begun, "the handler");
      abort.abort();
      equal(await soon(outcome, "the end of the call"), "given up");
      await soon(told, "the handler to be told");
    },
  },
  {
    name: "a call without an answer ends with TIMEOUT",
    async run(t) {
      const worker = await t.connect({}, t.socketUrl);
      const caller = await t.connect();
      const name = method();
      await worker.handle(name, endless().handler).ready;
      const error = await rejected(caller.call(name, null, { timeoutMs: 150 }), "TIMEOUT");
      equal(error.outcome, "unknown");
      check((await caller.ping()) >= 0, "the connection goes on");
    },
  },
  {
    name: "a handler is there again after its broker was",
    ways: SOCKETS,
    broker: { own: true },
    async run(t) {
      const [worker, caller] = [await t.connect(QUICK), await t.connect(QUICK)];
      const name = method();
      const handler = worker.handle(name, (/** @type {string} */ text) => text.toUpperCase());
      await handler.ready;
      const back = [next(worker, "connected"), next(caller, "connected")];
      await t.broker.kill();
      await t.broker.start();
      await Promise.all(back);
      await handler.ready;
      equal(await caller.call(name, "again"), "AGAIN");
    },
  },
  {
    name: "a call that its broker's end cuts off has an unknown outcome",
    broker: { own: true },
    async run(t) {
      const worker = await t.connect({}, t.socketUrl);
      const caller = await t.connect({ reconnect: false });
      const name = method();
      const { begun, handler } = endless();
      await worker.handle(name, handler).ready;
      const outcome = rejected(caller.call(name), "OUTCOME_UNKNOWN");
      await soon(begun, "the handler");
      await t.broker.kill();
      await outcome;
    },
  },
  {
    name: "over HTTP nobody can be called, and a handler is told so",
    ways: ["http"],
    async run(t) {
      const client = await t.connect();
      await rejected(client.handle(method(), () => null).ready, "UNAVAILABLE");
    },
  },
];
