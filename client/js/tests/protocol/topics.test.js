import assert from "node:assert/strict";
import { test } from "node:test";

import {
  MAX_SEGMENTS,
  checkPattern,
  checkTopic,
  contains,
  decodeSegment,
  encodeSegment,
  matcher,
  matches,
} from "../../src/protocol/topics.js";
import { Random } from "./random.js";
import { vectors } from "./vectors.js";

const shared = vectors("topics");
const REFUSED = { name: "SwarmwireError", code: "INVALID_TOPIC" };

function check(cases, atLeast, checks, textOf) {
  assert.ok(cases.length >= atLeast);
  for (const shape of cases) {
    const text = textOf(shape);
    if (shape.valid) {
      checks(text);
    } else {
      assert.throws(() => checks(text), REFUSED, JSON.stringify(text));
    }
  }
}

test("topics are checked as the broker checks them", () => {
  check(shared.topics, 65, checkTopic, ({ topic }) => topic);
});

test("patterns are checked as the broker checks them", () => {
  check(shared.patterns, 68, checkPattern, ({ pattern }) => pattern);
});

test("what is no string is no topic", () => {
  for (const value of [undefined, null, 7, ["a"], {}]) {
    assert.throws(() => checkTopic(value), REFUSED);
    assert.throws(() => checkPattern(value), REFUSED);
    assert.throws(() => encodeSegment(value), REFUSED);
  }
});

test("patterns match topics as the broker matches them", () => {
  assert.ok(shared.matching.length >= 199);
  for (const { pattern, topic, matches: wanted } of shared.matching) {
    assert.equal(matches(pattern, topic), wanted, `${pattern} and ${topic}`);
    assert.equal(matcher(pattern)(topic), wanted, `${pattern} and ${topic}`);
  }
});

test("any text is one segment, and the segment gives the text back", () => {
  assert.ok(shared.segments.length >= 52);
  for (const { text, segment } of shared.segments) {
    if (text === null) {
      assert.throws(() => decodeSegment(segment), REFUSED, JSON.stringify(segment));
    } else if (segment === null) {
      assert.throws(() => encodeSegment(text), REFUSED, JSON.stringify(text));
    } else {
      assert.equal(encodeSegment(text), segment);
      assert.equal(decodeSegment(segment), text);
    }
  }
});

test("one pattern contains another as the broker has it", () => {
  const cases = vectors("containment");
  assert.ok(cases.length >= 214);
  for (const { outer, inner, contains: wanted } of cases) {
    assert.equal(contains(outer, inner), wanted, `${outer} and ${inner}`);
  }
});

// ---- Against the definition, with patterns and topics made at random

const WORDS = ["a", "b", "$", "$x"];

/** Whether the segments from these places on match: the definition, in as many ways as there are. */
function fits(wanted, got) {
  const [first, ...rest] = wanted;
  if (first === undefined) {
    return got.length === 0;
  }
  if (first === "#") {
    return got.some((_, taken) => fits(rest, got.slice(taken))) || fits(rest, []);
  }
  return got.length > 0 && (first === "*" || first === got[0]) && fits(rest, got.slice(1));
}

function matchesByDefinition(pattern, topic) {
  return !(/^[*#]/.test(pattern) && topic.startsWith("$")) && fits(pattern.split("."), topic.split("."));
}

function segmentsOf(random, words, most) {
  return Array.from({ length: random.between(1, most) }, () => random.of(words)).join(".");
}

test("matching does what its definition says, for patterns and topics of any shape", () => {
  const random = new Random(20_261);
  let hits = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const pattern = segmentsOf(random, [...WORDS, "*", "#", "#"], 6);
    const topic = segmentsOf(random, WORDS, 7);
    const wanted = matchesByDefinition(pattern, topic);
    hits += Number(wanted);
    assert.equal(matches(pattern, topic), wanted, `${pattern} and ${topic}`);
  }
  assert.ok(hits > 1_500, `${hits} matches are too few to say anything`);
});

/** All topics of up to so many segments; `c` stands for all segments that no pattern names. */
function topicsUpTo(length) {
  const words = [...WORDS, "c"];
  let latest = [...words];
  const all = [...words];
  for (let size = 2; size <= length; size += 1) {
    latest = latest.flatMap((topic) => words.map((word) => `${topic}.${word}`));
    all.push(...latest);
  }
  return all;
}

test("containing means that no topic is matched by the inner pattern alone", () => {
  const random = new Random(4_242);
  const topics = topicsUpTo(5);
  const counts = { yes: 0, no: 0 };
  for (let round = 0; round < 300; round += 1) {
    const outer = segmentsOf(random, ["a", "$", "*", "#", "#"], 3);
    const inner = segmentsOf(random, ["a", "b", "$", "*", "#"], 3);
    const [isOuter, isInner] = [matcher(outer), matcher(inner)];
    const found = topics.find((topic) => isInner(topic) && !isOuter(topic));
    // Patterns of three segments that differ do so for a topic of five.
    assert.equal(contains(outer, inner), found === undefined, `${outer} and ${inner}: ${found}`);
    counts[found === undefined ? "yes" : "no"] += 1;
  }
  assert.ok(counts.yes > 30 && counts.no > 30, JSON.stringify(counts));
});

test("the most entangled patterns are answered soon, and on the safe side", () => {
  const outer = Array.from({ length: MAX_SEGMENTS / 2 }, () => "#.*").join(".");
  const inner = Array.from({ length: MAX_SEGMENTS }, (_, place) => (place % 2 === 0 ? "#" : "a")).join(".");
  assert.equal(typeof contains(outer, inner), "boolean");
  const many = Array.from({ length: MAX_SEGMENTS - 1 }, () => "#").join(".");
  assert.equal(matches(`${many}.b`, Array.from({ length: MAX_SEGMENTS }, () => "a").join(".")), false);
});
