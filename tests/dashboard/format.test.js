import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as format from "../../broker/dashboard/format.js";

/**
 * @param {string} name
 * @param {(value: any) => string} write
 * @param {[unknown, string][]} cases
 */
function cases(name, write, cases) {
  for (const [value, text] of cases)
    test(`${name} writes ${String(value)} as ${text}`, () => assert.equal(write(value), text));
}

describe("numbers", () => {
  cases("count", format.count, [
    [0, "0"],
    [1234567, "1,234,567"],
    [undefined, "–"],
    [null, "–"],
    [Number.NaN, "–"],
  ]);
  cases("compact", format.compact, [
    [0, "0"],
    [0.25, "0.3"],
    [7, "7"],
    [7.25, "7.3"],
    [42.4, "42"],
    [999, "999"],
    [999.6, "1.00k"],
    [12345, "12.3k"],
    [999_499, "999k"],
    [999_500, "1.00M"],
    [4_050_000, "4.05M"],
    [2.5e9, "2.50G"],
    [null, "–"],
  ]);
  cases("rate", format.rate, [
    [0, "0/s"],
    [20_000, "20.0k/s"],
    [undefined, "–"],
  ]);
  cases("bytes", format.bytes, [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "0.98 KiB"],
    [1024, "1.00 KiB"],
    [10 * 2 ** 20, "10.0 MiB"],
    [2 ** 50, "1024 TiB"],
    [null, "–"],
  ]);
  cases("percent", format.percent, [
    [0, "0 %"],
    [0.424, "42 %"],
    [1, "100 %"],
    [undefined, "–"],
  ]);
});

describe("times", () => {
  cases("latency", format.latency, [
    [0, "0 ms"],
    [0.841, "0.84 ms"],
    [12.34, "12.3 ms"],
    [999.4, "999 ms"],
    [1200, "1.20 s"],
    [null, "–"],
  ]);
  cases("duration", format.duration, [
    [-3, "0 ms"],
    [840, "840 ms"],
    [3200, "3.2 s"],
    [59_990, "59.9 s"],
    [250_000, "4 m 10 s"],
    [7_380_000, "2 h 3 m"],
    [435_600_000, "5 d 1 h"],
    [null, "–"],
  ]);

  test("ago names one unit, and what is to come is now", () => {
    const now = 1_790_000_000_000;
    const texts = [-500, 999, 1000, 61_000, 7_200_000, 172_800_000].map((past) =>
      format.ago(now - past, now),
    );
    assert.deepEqual(texts, ["now", "now", "1 s ago", "1 m ago", "2 h ago", "2 d ago"]);
  });

  test("the time of day is local, with milliseconds where they are asked for", () => {
    const moment = new Date(2026, 2, 1, 4, 3, 7, 9).getTime();
    assert.equal(format.time(moment), "04:03:07");
    assert.equal(format.time(moment, { millis: true }), "04:03:07.009");
    assert.equal(format.dateTime(moment), "2026-03-01 04:03:07");
    assert.equal(format.time(null), "–");
  });
});

describe("names", () => {
  test("a long name keeps both ends and its length", () => {
    assert.equal(format.shorten("agent-4b0a6b0f-1f5c-c0ffee", 13), "agent-…c0ffee");
    for (let length = 3; length < 40; length += 1)
      assert.equal(format.shorten("x".repeat(60), length).length, length);
    assert.equal(format.shorten("short", 5), "short");
  });

  test("one is not many", () => {
    assert.equal(format.plural(1, "gap"), "1 gap");
    assert.equal(format.plural(1200, "gap"), "1,200 gaps");
    assert.equal(format.plural(2, "child", "children"), "2 children");
  });
});
