/** The broker's own figures over time, from what `metrics.get` answers. */

import { fieldsOf, numberOf } from "./event.js";
import { CHART_SECONDS, Series } from "./series.js";

const COLUMNS = ["publishes", "deliveries", "p50", "p99", "connections", "errors"];
/** Counters shown as what they rise a second. */
const RATES = ["publishes", "deliveries", "errors"];

export class Figures {
  /** @type {Record<string, number>} */
  gauges = {};
  #series = new Series(COLUMNS, CHART_SECONDS);
  /** @type {{ms: number, counters: Record<string, unknown>}|null} */
  #former = null;

  /** @param {unknown} answer */
  take(answer) {
    const { timestamp, counters: counted, gauges, publish_latency_ms: latency } = fieldsOf(answer);
    const ms = numberOf(timestamp);
    if (ms === null) return;
    const counters = fieldsOf(counted);
    const numbers = Object.entries(fieldsOf(gauges)).filter(([, value]) => typeof value === "number");
    this.gauges = /** @type {Record<string, number>} */ (Object.fromEntries(numbers));
    const { p50, p99 } = fieldsOf(latency);
    this.#series.push(ms / 1000, {
      ...this.#rates(ms, counters),
      p50: numberOf(p50),
      p99: numberOf(p99),
      connections: this.gauges.connections ?? null,
    });
    this.#former = { ms, counters };
  }

  /** A break in the curves: the next rates are those of another while. */
  forget() {
    this.#former = null;
  }

  /** @returns {import("./slices.js").Series|null} */
  get series() {
    const series = this.#series;
    if (series.t.length === 0) return null;
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, [...series.column(name)]]));
    /** @type {unknown} */
    const whole = { t: [...series.t], ...columns };
    return /** @type {import("./slices.js").Series} */ (whole);
  }

  /** @param {number} ms @param {Record<string, unknown>} counters @returns {Record<string, number|null>} */
  #rates(ms, counters) {
    const former = this.#former;
    const rate = (/** @type {string} */ name) => {
      const now = numberOf(counters[name]);
      const then = numberOf(former?.counters[name]);
      // A counter that fell is that of another run of the broker.
      if (former === null || now === null || then === null || now < then || ms <= former.ms) return null;
      return ((now - then) * 1000) / (ms - former.ms);
    };
    return Object.fromEntries(RATES.map((name) => [name, rate(name)]));
  }
}
