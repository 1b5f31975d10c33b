import assert from "node:assert/strict";
import { test } from "node:test";

import { dialHttp } from "../../src/transports/http.js";
import { FakeHttp, json, lines, problem, stream } from "./fakehttp.js";
import { Hearing } from "./hearing.js";

const HELLO = { type: "hello", versions: ["1"], client: { name: "test", instance: "i1" }, token: "t1" };

/** A connection to a fake broker that was welcomed. */
async function welcomed(t, prepare = (_broker) => {}) {
  const broker = await new FakeHttp().start(t);
  prepare(broker);
  const hearing = new Hearing();
  const carrier = await dialHttp(broker.url, hearing.hooks);
  t.after(() => carrier.abort());
  const connection = new Connection(broker, hearing, carrier);
  connection.say(HELLO);
  assert.equal((await connection.hear()).type, "welcome");
  return connection;
}

class Connection {
  #read = 0;

  constructor(broker, hearing, carrier) {
    this.broker = broker;
    this.hearing = hearing;
    this.carrier = carrier;
  }

  say(message) {
    this.carrier.send(JSON.stringify(message));
  }

  /** The next message. */
  async hear() {
    this.#read += 1;
    return JSON.parse((await this.hearing.heard(this.#read))[this.#read - 1]);
  }

  publish(...ids) {
    for (const id of ids) this.say({ type: "publish", id, topic: "a", data: id });
  }

  subscribe(id, item) {
    this.say({ type: "subscribe", id, subscriptions: [item] });
  }
}

/** A promise, and what resolves it. */
function promised() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

// First, while no other test has timers that it would take over.
test("a close that the broker keeps waiting is cut", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const begun = promised();
  const c = await welcomed(t);
  c.broker.routes["v1/publish"] = () => begun.resolve();
  c.publish(1);
  await begun.promise;
  c.carrier.close(1000, "");
  t.mock.timers.tick(2000);
  assert.equal((await c.hearing.closed()).code, 1006);
});

test("hello logs in by a header, and no token stands in a URL", async (t) => {
  const { broker, carrier } = await welcomed(t);
  const [{ headers }] = broker.of("v1/hello");
  assert.deepEqual([headers.authorization, headers["x-swarmwire-instance"]], ["Bearer t1", "i1"]);
  assert.equal(carrier.kind, "http");
  assert.ok(broker.asked.every(({ query }) => !JSON.stringify(query).includes("t1")));
});

test("a refused login is told as on other ways: an error, a bye, the end", async (t) => {
  const broker = await new FakeHttp().start(t);
  broker.routes["v1/hello"] = (_, answer) => problem(answer, 401, "AUTHENTICATION_FAILED");
  const hearing = new Hearing();
  (await dialHttp(broker.url, hearing.hooks)).send(JSON.stringify(HELLO));
  assert.equal((await hearing.closed()).code, 4401);
  const [error, bye] = hearing.messages.map((text) => JSON.parse(text));
  assert.deepEqual([error.type, error.code, error.id], ["error", "AUTHENTICATION_FAILED", undefined]);
  assert.deepEqual([bye.type, bye.code], ["bye", 4401]);
});

test("a version that the client does not speak is refused", async (t) => {
  const broker = await new FakeHttp().start(t);
  broker.welcome.version = "2";
  const hearing = new Hearing();
  (await dialHttp(broker.url, hearing.hooks)).send(JSON.stringify(HELLO));
  assert.equal((await hearing.closed()).code, 4406);
  const [{ code, versions }] = hearing.messages.map((text) => JSON.parse(text));
  assert.deepEqual([code, versions], ["UNSUPPORTED_VERSION", ["2"]]);
});

test("another server than a broker is a lost connection", async (t) => {
  const broker = await new FakeHttp().start(t);
  broker.routes["v1/hello"] = (_, answer) => answer.writeHead(502).end("<h1>Bad gateway</h1>");
  const hearing = new Hearing();
  (await dialHttp(broker.url, hearing.hooks)).send(JSON.stringify(HELLO));
  assert.deepEqual(await hearing.closed(), {
    code: 1006,
    reason: "No broker answers there, but HTTP status 502.",
    clean: false,
  });
});

test("publishes go as batches: one is on its way while the next gathers", async (t) => {
  const [first, hold] = [promised(), promised()];
  const c = await welcomed(t);
  const plain = c.broker.routes["v1/publish"];
  c.broker.routes["v1/publish"] = async (asked, answer) => {
    first.resolve();
    await hold.promise;
    plain(asked, answer);
  };
  c.publish(1);
  await first.promise;
  c.publish(2, 3);
  assert.ok(c.carrier.buffered > 0);
  assert.equal(c.carrier.idle, false);
  hold.resolve();
  assert.deepEqual([(await c.hear()).id, (await c.hear()).id, (await c.hear()).id], [1, 2, 3]);
  const batches = c.broker.of("v1/publish").map(({ body }) => lines(body).map(({ id }) => id));
  assert.deepEqual(batches, [[1], [2, 3]]);
  assert.deepEqual([c.carrier.buffered, c.carrier.idle], [0, true]);
});

test("a batch that is too large goes in parts", async (t) => {
  const c = await welcomed(t);
  const plain = c.broker.routes["v1/publish"];
  c.broker.routes["v1/publish"] = (asked, answer) =>
    lines(asked.body).length > 2 ? problem(answer, 413, "MESSAGE_TOO_LARGE") : plain(asked, answer);
  c.publish(1, 2, 3, 4, 5);
  for (const id of [1, 2, 3, 4, 5]) assert.deepEqual([(await c.hear()).id], [id]);
});

test("what follows a publish waits for its answer", async (t) => {
  const c = await welcomed(t);
  c.publish(1);
  c.subscribe(2, { pattern: "a" });
  c.publish(3);
  assert.deepEqual([(await c.hear()).id, (await c.hear()).id], [1, 2]);
  const routes = c.broker.asked.map(({ route }) => route).filter((route) => route !== "healthz");
  assert.deepEqual(routes.slice(0, 3), ["v1/hello", "v1/publish", "v1/events"]);
});

test("a refused batch refuses each of its publishes, and the connection goes on", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/publish"] = (_, answer) => {
    problem(answer, 429, "RATE_LIMIT_EXCEEDED", { retry_after_ms: 50 });
  };
  c.publish(1, 2);
  for (const id of [1, 2]) {
    const { type, code, retry_after_ms, id: of } = await c.hear();
    assert.deepEqual([type, code, retry_after_ms, of], ["error", "RATE_LIMIT_EXCEEDED", 50, id]);
  }
  assert.equal(c.hearing.closes.length, 0);
});

test("a publish that ends the session ends the connection, and is not answered", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/publish"] = (_, answer) => problem(answer, 401, "TOKEN_EXPIRED");
  c.publish(1);
  const { id, code } = await c.hear();
  assert.deepEqual([id, code], [undefined, "TOKEN_EXPIRED"]);
  assert.equal((await c.hearing.closed()).code, 4401);
});

test("a publish whose answer is cut loses the connection", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/publish"] = (_, answer) => answer.destroy();
  c.publish(1);
  assert.deepEqual([(await c.hearing.closed()).code, c.hearing.messages.length], [1006, 1]);
});

test("a subscription is a stream whose messages are addressed to it", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/events"] = (_, answer) =>
    stream(
      answer,
      "id: aa:1\n\n" +
        'id: aa:2\ndata: {"type":"event","topic":"a.b","seq":2,"data":12345678901234567890}\n\n' +
        'event: gap\ndata: {"type":"gap","from":"aa:2","to":"aa:4","reason":"evicted"}\n\n' +
        'id: aa:4\nevent: live\ndata: {"type":"live","cursor":"aa:4"}\n\n' +
        ": heartbeat\n\nevent: new\ndata: {}\n\n",
    );
  c.subscribe(7, { pattern: "a.#", sub: "s", from: { since_ms: 5 }, mode: { conflate_ms: 9 } });
  assert.deepEqual(await c.hear(), { type: "ack", id: 7, results: [{ sub: "s", cursor: "aa:1" }] });
  assert.deepEqual(await c.hear(), { type: "position", sub: "s", cursor: "aa:1" });
  await c.hear();
  assert.ok(c.hearing.messages.some((text) => text.endsWith('"data":12345678901234567890,"sub":"s"}')));
  assert.deepEqual(await c.hear(), { type: "gap", from: "aa:2", to: "aa:4", reason: "evicted", sub: "s" });
  assert.deepEqual(await c.hear(), { type: "live", sub: "s", cursor: "aa:4" });
  assert.deepEqual(c.broker.of("v1/events")[0].query, { pattern: "a.#", since_ms: "5", conflate_ms: "9" });
});

test("a refused subscription is an error, and one among others a result", async (t) => {
  const c = await welcomed(t);
  const plain = c.broker.routes["v1/events"];
  c.broker.routes["v1/events"] = (asked, answer) => {
    if (asked.query.pattern === "no") problem(answer, 403, "PERMISSION_DENIED", { field: "pattern" });
    else plain(asked, answer);
  };
  c.subscribe(1, { pattern: "no" });
  const refused = await c.hear();
  assert.deepEqual([refused.type, refused.id, refused.code], ["error", 1, "PERMISSION_DENIED"]);
  assert.equal(refused.results.length, 1);
  c.say({ type: "subscribe", id: 2, subscriptions: [{ pattern: "no" }, { pattern: "yes" }] });
  const { type, results } = await c.hear();
  assert.deepEqual([type, results[0].error.code], ["ack", "PERMISSION_DENIED"]);
  assert.equal(results[1].cursor, c.broker.welcome.cursor);
});

test("a stream that ends without a word loses the connection, one that says bye ends it", async (t) => {
  const cut = await welcomed(t);
  cut.broker.routes["v1/events"] = (_, answer) => answer.writeHead(200).end("id: aa:1\n\n");
  cut.subscribe(1, { pattern: "a" });
  assert.equal((await cut.hearing.closed()).code, 1006);

  const ended = await welcomed(t);
  const bye = { type: "bye", code: 1012, reason: "restarting", reconnect_after_ms: 70 };
  ended.broker.routes["v1/events"] = (_, answer) =>
    answer.writeHead(200).end(`id: aa:1\n\nevent: bye\ndata: ${JSON.stringify(bye)}\n\n`);
  ended.subscribe(1, { pattern: "a" });
  assert.deepEqual(await ended.hearing.closed(), { code: 1012, reason: "restarting", clean: true });
  assert.deepEqual(JSON.parse(ended.hearing.messages.at(-1)), bye);
});

test("a stream that falls silent for two heartbeats loses the connection", async (t) => {
  const c = await welcomed(t, (broker) => (broker.welcome.heartbeat_ms = 40));
  c.subscribe(1, { pattern: "a" });
  assert.equal((await c.hear()).type, "ack");
  const { code, reason } = await c.hearing.closed();
  assert.deepEqual([code, reason], [1006, "Nothing was heard for 80 ms."]);
});

test("unsubscribing ends the stream, and an unknown name is not found", async (t) => {
  const c = await welcomed(t);
  const ended = promised();
  c.broker.routes["v1/events"] = (_, answer) => {
    answer.on("close", ended.resolve);
    stream(answer, "id: aa:1\n\n");
  };
  c.subscribe(1, { pattern: "a" });
  assert.equal((await c.hear()).type, "ack");
  assert.equal((await c.hear()).type, "position");
  c.say({ type: "unsubscribe", id: 2, subs: ["a", "none"] });
  assert.deepEqual(await c.hear(), { type: "ack", id: 2 });
  await ended.promise;
  c.say({ type: "unsubscribe", id: 3, subs: ["a"] });
  assert.equal((await c.hear()).code, "NOT_FOUND");
});

test("a renewed login is used by what follows, and streams go on with it from their places", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/events"] = (_, answer) =>
    stream(answer, 'id: aa:8\n\nid: aa:9\ndata: {"type":"event","topic":"a","seq":9,"data":1}\n\n');
  c.subscribe(1, { pattern: "a" });
  for (const type of ["ack", "position", "event"]) assert.equal((await c.hear()).type, type);
  c.say({ type: "auth", id: 2, token: "t2" });
  assert.deepEqual(await c.hear(), { type: "ack", id: 2 });
  await c.hear();
  const [first, second] = c.broker.of("v1/events");
  assert.deepEqual([first.headers.authorization, first.headers["last-event-id"]], ["Bearer t1", undefined]);
  assert.deepEqual([second.headers.authorization, second.headers["last-event-id"]], ["Bearer t2", "aa:9"]);
});

test("a new login is refused for another subject, and where the broker refuses it", async (t) => {
  const c = await welcomed(t);
  c.broker.welcome = { ...c.broker.welcome, identity: { subject: "bob", permissions: {} } };
  c.say({ type: "auth", id: 1, token: "t2" });
  const { code, field, id } = await c.hear();
  assert.deepEqual([code, field, id], ["PERMISSION_DENIED", "token", 1]);
  c.broker.routes["v1/hello"] = (_, answer) => problem(answer, 401, "TOKEN_EXPIRED");
  c.say({ type: "auth", id: 2, token: "t3" });
  assert.equal((await c.hear()).code, "TOKEN_EXPIRED");
  c.publish(3);
  await c.hear();
  assert.equal(c.broker.of("v1/publish")[0].headers.authorization, "Bearer t1");
});

test("a call has its replies as they come, and its errors", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/call/a.b%2Fc"] = ({ body }, answer) => {
    assert.equal(body, '{"x":1}');
    answer.write('{"data":1,"more":true}\n{"data":2,"mo');
    answer.end('re":true}\n{"data":null,"end":true}\n');
  };
  c.say({ type: "call", id: 1, method: "a.b/c", params: { x: 1 }, timeout_ms: 9 });
  assert.deepEqual([(await c.hear()).data, (await c.hear()).data], [1, 2]);
  assert.deepEqual(await c.hear(), { type: "reply", id: 1, data: null, end: true });
  const [{ query, headers }] = c.broker.of("v1/call/a.b%2Fc");
  assert.deepEqual([query, headers.accept], [{ timeout_ms: "9" }, "application/x-ndjson"]);
  c.broker.routes["v1/call/no"] = (_, answer) =>
    problem(answer, 502, "HANDLER_FAILED", { handler_code: "SAD", details: [1] });
  c.say({ type: "call", id: 2, method: "no" });
  const { code, handler_code, details, id } = await c.hear();
  assert.deepEqual([code, handler_code, details, id], ["HANDLER_FAILED", "SAD", [1], 2]);
});

test("a call whose last reply does not come loses the connection", async (t) => {
  const c = await welcomed(t);
  c.broker.routes["v1/call/m"] = (_, answer) => answer.end('{"data":1,"more":true}\n');
  c.say({ type: "call", id: 1, method: "m" });
  assert.equal((await c.hear()).data, 1);
  assert.equal((await c.hearing.closed()).code, 1006);
});

test("a cancelled call is given up at the broker, and answered once", async (t) => {
  const [begun, ended] = [promised(), promised()];
  const c = await welcomed(t);
  c.broker.routes["v1/call/m"] = (_, answer) => {
    answer.on("close", ended.resolve);
    begun.resolve();
  };
  c.say({ type: "call", id: 1, method: "m" });
  await begun.promise;
  assert.equal(c.carrier.idle, false);
  c.say({ type: "cancel", id: 1 });
  c.say({ type: "cancel", id: 1 });
  c.say({ type: "cancel", id: 99 });
  await ended.promise;
  c.say({ type: "ping", ts: 5 });
  const { id, code } = await c.hear();
  assert.deepEqual([id, code], [1, "CANCELLED"]);
  assert.deepEqual(await c.hear(), { type: "pong", ts: 5 });
});

test("closing lets what was published go out, and hears no more", async (t) => {
  const c = await welcomed(t);
  c.publish(1, 2);
  c.carrier.close(1000, "done");
  c.publish(3);
  assert.deepEqual(await c.hearing.closed(), { code: 1000, reason: "done", clean: true });
  assert.deepEqual(c.broker.of("v1/publish").map(({ body }) => lines(body).length), [2]);
  assert.equal(c.hearing.messages.length, 1);
});

test("where nobody answers it is UNAVAILABLE, and a URL with more than a place is refused", async () => {
  const { hooks } = new Hearing();
  await assert.rejects(dialHttp("http://127.0.0.1:1", hooks), { code: "UNAVAILABLE" });
  for (const url of ["http://", "http://h/?token=t", "http://u:p@h/", "http://h/#x"]) {
    await assert.rejects(dialHttp(url, hooks), { code: "INVALID_MESSAGE", field: "url" });
  }
});

test("a broker below a path is asked there", async (t) => {
  const broker = await new FakeHttp().start(t);
  broker.routes["below/healthz"] = (_, answer) => answer.end();
  broker.routes["below/v1/hello"] = (_, answer) => json(answer, broker.welcome);
  const hearing = new Hearing();
  const carrier = await dialHttp(`${broker.url}/below`, hearing.hooks);
  carrier.send(JSON.stringify(HELLO));
  await hearing.heard(1);
  assert.equal(broker.of("below/v1/hello").length, 1);
  carrier.abort();
});
