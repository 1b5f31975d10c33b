/** The slice of that name: the broker's figures over time, and what this page itself sees. */

import { fieldsOf, numberOf, textOf } from "./event.js";
import { Figures } from "./figures.js";
import { Poll } from "./poll.js";
import { CHART_SECONDS, Series } from "./series.js";

/** @typedef {import("./slices.js").OverviewSlice} OverviewSlice */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./stream.js").Clock} Clock */
/** @typedef {(method: string, params?: unknown) => Promise<unknown>} Ask */

const FIGURES_MS = 1000;
const PING_MS = 5000;
/** Over how long the broker works out the latency of publishes. */
const PERIOD = "1s";

export class Overview {
  #figures = new Figures();
  #seen = new Series(["events"], CHART_SECONDS);
  /** @type {number|null} */
  #roundTripMs = null;
  /** @type {OverviewSlice["daemon"]} */
  #daemon = null;
  /** @type {{nowMs: number, top: OverviewSlice["busiest"]}} */
  #busiest = { nowMs: -Infinity, top: [] };
  #clock;
  #polls;
  #measured;

  /**
   * @param {Ask} ask
   * @param {() => Promise<number>} ping
   * @param {() => boolean} isWanted  whether somebody looks at it
   * @param {Clock} clock
   */
  constructor(ask, ping, isWanted, clock) {
    this.#clock = clock;
    const figures = () => ask("metrics.get", { period: PERIOD });
    const take = (/** @type {unknown} */ answer) => this.#figures.take(answer);
    const describe = (/** @type {unknown} */ answer) => this.#describe(answer);
    this.#measured = new Poll({ ask: figures, take, everyMs: FIGURES_MS }, clock);
    this.#polls = [
      this.#measured,
      new Poll({ ask: ping, take: (ms) => (this.#roundTripMs = ms), everyMs: PING_MS, isWanted }, clock),
      new Poll({ ask: () => ask("daemon.status"), take: describe, everyMs: PING_MS }, clock),
    ];
  }

  start() {
    for (const poll of this.#polls) poll.start();
  }

  stop() {
    for (const poll of this.#polls) poll.stop();
    this.#figures.forget();
    this.#roundTripMs = null;
  }

  /** What was told to somebody else. */
  forget() {
    this.#figures = new Figures();
    this.#seen = new Series(["events"], CHART_SECONDS);
    this.#daemon = this.#roundTripMs = null;
    this.#busiest = { nowMs: -Infinity, top: [] };
  }

  /** Notes how much this page sees, once a second. @param {Model} model */
  note(model) {
    const second = Math.floor(this.#clock.date() / 1000);
    this.#seen.push(second, { events: model.rate(this.#clock.now()) });
  }

  /** @param {Model} model @param {number} nowMs @returns {OverviewSlice} */
  slice(model, nowMs) {
    return {
      series: this.#figures.series,
      denied: this.#measured.denied,
      seen: { t: [...this.#seen.t], events: /** @type {number[]} */ ([...this.#seen.column("events")]) },
      roundTripMs: this.#roundTripMs,
      gauges: this.#figures.gauges,
      daemon: this.#daemon,
      busiest: this.#top(model, nowMs),
    };
  }

  /** @param {Model} model @param {number} nowMs */
  #top(model, nowMs) {
    // All topics are looked at for it.
    if (nowMs - this.#busiest.nowMs >= 1000) this.#busiest = { nowMs, top: model.busiest(nowMs) };
    return this.#busiest.top;
  }

  /** @param {unknown} answer */
  #describe(answer) {
    const { status, started, uptime, components } = fieldsOf(answer);
    const states = Object.entries(fieldsOf(components)).filter(([, state]) => typeof state === "string");
    this.#daemon = {
      status: textOf(status) ?? "",
      started: numberOf(started) ?? 0,
      uptime: numberOf(uptime) ?? 0,
      components: /** @type {Record<string, string>} */ (Object.fromEntries(states)),
    };
  }
}
