// The charts of the overview: what passes, how fast, for whom, and what went wrong.

import { Chart } from "../parts/chart.js";
import { html } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").OverviewSlice} Overview */
/** @typedef {ReturnType<typeof overviewCharts>} Charts */

/** They share the cursor of one name. */
const TOGETHER = "overview";

/**
 * @param {Context["format"]} format
 * @param {Context["theme"]} theme
 */
export function overviewCharts(format, theme) {
  const { compact, latency } = format;
  return {
    throughput: new Chart(
      {
        label: "Throughput over the last 15 minutes: events published and delivered, a second",
        lines: [
          { label: "delivered", colour: "--series-2", isFilled: true },
          { label: "published", colour: "--series-1", isFilled: true },
        ],
        format: compact,
        least: 10,
        height: 220,
        together: TOGETHER,
      },
      theme,
    ),
    seen: new Chart(
      {
        label: "Throughput over the last 15 minutes: events that this page has seen, a second",
        lines: [{ label: "seen by this page", colour: "--series-1", isFilled: true }],
        format: compact,
        least: 10,
        height: 220,
      },
      theme,
    ),
    latency: new Chart(
      {
        label: "Latency of a publish over the last 15 minutes: half and 99 % of them are faster",
        lines: [
          { label: "p99", colour: "--series-3" },
          { label: "p50", colour: "--series-1" },
        ],
        format: latency,
        least: 1,
        together: TOGETHER,
      },
      theme,
    ),
    connections: new Chart(
      {
        label: "Connections over the last 15 minutes",
        lines: [{ label: "open", colour: "--series-1", isStepped: true }],
        format: compact,
        least: 4,
        together: TOGETHER,
      },
      theme,
    ),
    errors: new Chart(
      {
        label: "Errors over the last 15 minutes, a second",
        lines: [{ label: "sent to clients", colour: "--series-4", isStepped: true, isFilled: true }],
        format: compact,
        least: 4,
        together: TOGETHER,
      },
      theme,
    ),
  };
}

/**
 * @param {Charts} charts
 * @param {Overview} overview
 */
export function overviewCards(charts, { series, seen }) {
  if (series === null) {
    charts.seen.set(seen.t, seen.events);
    return card("Throughput", charts.seen, "events a second", true);
  }
  charts.throughput.set(series.t, series.deliveries, series.publishes);
  charts.latency.set(series.t, series.p99, series.p50);
  charts.connections.set(series.t, series.connections);
  charts.errors.set(series.t, series.errors);
  return html`
    ${card("Throughput", charts.throughput, "events a second", true)}
    ${card("Publish latency", charts.latency, "until the event is written")}
    ${card("Connections", charts.connections, "open")} ${card("Errors", charts.errors, "a second")}
  `;
}

/**
 * @param {string} title
 * @param {Chart} chart
 * @param {string} unit
 * @param {boolean} [isWide]
 */
function card(title, chart, unit, isWide = false) {
  return html`
    <section class="card ${isWide ? "is-wide" : ""}">
      <div class="card-head">
        <h2>${title}</h2>
        <span class="faint">${unit}</span>
      </div>
      <div class="card-body">${chart.template()}</div>
    </section>
  `;
}
