import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode } from "../../src/protocol/codec.js";
import { MAX_DEPTH } from "../../src/protocol/json.js";
import { vectors } from "./vectors.js";

const { valid, invalid } = vectors("messages");
const toBroker = valid.filter(({ direction }) => direction === "to_broker");
const fromBroker = valid.filter(({ direction }) => direction === "from_broker");

/** A value as it is after a way over the wire: JavaScript writes -0 as 0. */
function wired(value) {
  return JSON.parse(JSON.stringify(value));
}

function parsedOr(text, otherwise) {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

// ---- The cases that all implementations share

/** What is valid JSON of the protocol but cannot be held by a JavaScript number. */
const TOO_LONG = "an id of 64 digits";

test("there are cases to test", () => {
  assert.ok(toBroker.length >= 50 && fromBroker.length >= 30 && invalid.length >= 120);
  assert.ok(toBroker.some(({ name }) => name === TOO_LONG));
});

for (const { name, wire, canonical } of toBroker.filter((shape) => shape.name !== TOO_LONG)) {
  test(`to the broker: ${name}`, () => {
    assert.deepEqual(JSON.parse(encode(JSON.parse(wire))), wired(JSON.parse(canonical)));
  });
}

test("an id that no JavaScript number holds is refused, not sent as another one", () => {
  const { wire } = toBroker.find(({ name }) => name === TOO_LONG);
  assert.throws(() => encode(JSON.parse(wire)), { code: "INVALID_MESSAGE", field: "id" });
});

/** The lists that are left out of a canonical message where they are empty; read, they stay. */
const LISTS = new Set(["publish", "subscribe", "call", "features"]);

function withoutEmptyLists(message) {
  return JSON.parse(JSON.stringify(message), (name, value) =>
    LISTS.has(name) && Array.isArray(value) && value.length === 0 ? undefined : value,
  );
}

for (const { name, wire, canonical } of fromBroker) {
  test(`from the broker: ${name}`, () => {
    assert.deepEqual(withoutEmptyLists(decode(wire)), JSON.parse(canonical));
  });
}

/** What a JavaScript object cannot be: these are other, valid messages once parsed. */
const LOST_BY_PARSING = new Set([
  "two types",
  "an id that is a float without a fraction",
  "an id that is a power",
]);

const broken = invalid.filter(({ wire }) => parsedOr(wire, undefined) === undefined);
const readable = invalid.filter(
  ({ name, wire }) => parsedOr(wire, undefined) !== undefined && !LOST_BY_PARSING.has(name),
);

test("all invalid cases are tested but those that no JavaScript object can be", () => {
  assert.equal(broken.length + readable.length + LOST_BY_PARSING.size, invalid.length);
  assert.ok(broken.length >= 20 && readable.length >= 80);
});

for (const { name, wire } of broken) {
  test(`from the broker, refused: ${name}`, () => {
    assert.throws(() => decode(wire), { name: "SwarmwireError", code: "INVALID_MESSAGE", field: undefined });
  });
}

/** Where the broker cannot read a text it names no field; whoever writes it can say which one that is. */
const UNREADABLE = {
  "data with a lone high surrogate": "data",
  "data with a lone low surrogate": "data",
  "a topic with a lone surrogate": "topic",
};

for (const { name, wire, error } of readable) {
  test(`to the broker, refused: ${name}`, () => {
    const field = UNREADABLE[name] ?? error.field ?? undefined;
    assert.throws(() => encode(JSON.parse(wire)), { name: "SwarmwireError", code: "INVALID_MESSAGE", field });
  });
}

// ---- Reading

test("a message of the broker that is none is refused with its field", () => {
  const cases = [
    ['{"type":"event","topic":"a","ts":1}', "data"],
    ['{"type":"event","topic":7,"ts":1,"data":1}', "topic"],
    ['{"type":"event","topic":"a","ts":1,"data":1,"seq":-1}', "seq"],
    ['{"type":"event","topic":"a","ts":1,"data":1,"seq":9007199254740992}', "seq"],
    ['{"type":"event","topic":"a","ts":1,"data":1,"headers":{"h":1}}', "headers[...]"],
    ['{"type":"ack","id":1,"results":[{"sub":"a"},{}]}', "results[1].sub"],
    ['{"type":"error","code":"X","message":"m","results":[{"sub":"a","cursor":7}]}', "results[0].cursor"],
    ['{"type":"publish","topic":"a","data":1}', "type"],
    ['{"type":"constructor"}', "type"],
    ['{"type":"__proto__"}', "type"],
    ["7", undefined],
    ["null", undefined],
  ];
  for (const [wire, field] of cases) {
    assert.throws(() => decode(wire), { name: "SwarmwireError", code: "INVALID_MESSAGE", field }, wire);
  }
});

test("what a broker that came later adds is ignored", () => {
  const text = '{"type":"position","cursor":"e:7","since":{"x":1}}';
  assert.deepEqual(decode(text), { type: "position", cursor: "e:7" });
});

test("headers of any name do no harm", () => {
  const { headers } = decode('{"type":"event","topic":"a","ts":1,"data":1,"headers":{"__proto__":"x"}}');
  assert.deepEqual(Object.entries(headers), [["__proto__", "x"]]);
  assert.equal({}.x, undefined);
});

// ---- Writing

test("fields that are undefined are left out, and null stays data", () => {
  const message = { type: "publish", topic: "a", data: null, id: 1, key: undefined, headers: undefined };
  assert.deepEqual(JSON.parse(encode(message)), { type: "publish", topic: "a", data: null, id: 1 });
});

test("data that is undefined is missing", () => {
  assert.throws(() => encode({ type: "publish", topic: "a", data: undefined }), { field: "data" });
});

function nested(levels, wrap) {
  return Array.from({ length: levels }).reduce((inner) => wrap(inner), 1);
}

test("data that JSON cannot hold is refused, never bent", () => {
  const cyclic = {};
  cyclic.self = cyclic;
  const cases = [
    [NaN, "data"],
    [{ a: [0, Infinity] }, "data.a[1]"],
    [() => 1, "data"],
    [{ a: Symbol("x") }, "data.a"],
    [{ a: 1n }, "data.a"],
    [[undefined], "data[0]"],
    [{ a: new Map() }, "data.a"],
    [[new Set([1])], "data[0]"],
    [{ "\udc00": 1 }, "data."],
    ["\ud800", "data"],
    [cyclic, "data.self.self"],
    [nested(MAX_DEPTH + 1, (inner) => [inner]), "data[0][0]"],
    [{ toJSON: () => NaN }, "data"],
  ];
  for (const [data, place] of cases) {
    const refused = (error) => error.field === "data" && error.message.includes(` at ${place}`);
    assert.throws(() => encode({ type: "publish", topic: "a", data }), refused, place);
  }
});

test("data is written as JavaScript writes it", () => {
  const deep = nested(MAX_DEPTH - 1, (inner) => ({ inner }));
  const data = { at: new Date(0), left: undefined, deep, zero: -0 };
  const written = JSON.parse(encode({ type: "publish", topic: "a", data })).data;
  assert.deepEqual(written, wired(data));
  assert.equal(written.at, "1970-01-01T00:00:00.000Z");
});

test("every part of a message that users fill is checked", () => {
  for (const message of [
    { type: "call", id: 1, method: "m", params: NaN },
    { type: "reply", id: "b:1", data: NaN },
    { type: "error", id: "b:1", code: "X", message: "m", details: NaN },
  ]) {
    assert.throws(() => encode(message), { code: "INVALID_MESSAGE", field: Object.keys(message).at(-1) });
  }
});
