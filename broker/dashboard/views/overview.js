// The broker at a glance: what passes through it, how fast, and where most of it goes.

import { empty, loading } from "../parts/empty.js";
import { figures } from "../parts/figures.js";
import { forgottenText } from "../parts/forgotten.js";
import { ICONS } from "../parts/icons.js";
import { html, nothing } from "../template.js";
import { overviewCards, overviewCharts } from "./overviewcharts.js";
import { overviewFigures } from "./overviewfigures.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").OverviewSlice} Overview */
/** @typedef {import("../model/slices.js").StatusSlice} Status */

/** What an acknowledged event is, by the protocol's words for it. */
const DURABILITIES = Object.freeze(
  /** @type {Record<string, string>} */ ({
    accepted: "kept in memory",
    stored: "stored on disk",
    stored_lazily: "stored on disk, lazily",
  }),
);

/**
 * @param {Context} context
 * @returns {View}
 */
export function overviewView({ format, theme }) {
  const charts = overviewCharts(format, theme);
  return {
    name: "overview",
    title: "Overview",
    icon: ICONS.overview,
    wants: () => ({ overview: {} }),
    draw({ overview, status }) {
      if (overview === undefined) return html`${head(status, overview, format)}${loading()}`;
      return html`
        ${head(status, overview, format)} ${figures(overviewFigures(overview, status, format))}
        ${overview.denied === null ? nothing : denied(overview.denied)}
        <div class="overview-charts">${overviewCards(charts, overview)}</div>
        ${busiest(overview, format)}
      `;
    },
  };
}

/**
 * @param {Status | undefined} status
 * @param {Overview | undefined} overview
 * @param {Context["format"]} format
 */
function head(status, overview, format) {
  const facts = [
    status?.server && `version ${status.server.version}`,
    status?.durability && `events ${DURABILITIES[status.durability] ?? status.durability}`,
    overview?.daemon && `up ${format.duration(overview.daemon.uptime)}`,
    overview?.roundTripMs && `round trip ${format.latency(overview.roundTripMs)}`,
    status && forgottenText(status.dropped, format),
  ];
  return html`
    <div class="view-head">
      <h1>Overview</h1>
      <span class="faint">${facts.filter(Boolean).join(" · ")}</span>
    </div>
  `;
}

/** @param {string} reason */
function denied(reason) {
  return html`
    <div class="notice info">
      ${ICONS.warning}
      <span>
        <strong>The broker's own figures are not shown.</strong>
        ${reason} What this page sees of events is shown instead.
      </span>
    </div>
  `;
}

/**
 * @param {Overview} overview
 * @param {Context["format"]} format
 */
function busiest({ busiest }, format) {
  const most = busiest[0]?.rate ?? 0;
  return html`
    <section class="card">
      <div class="card-head">
        <h2>Busiest topics</h2>
        <span class="faint">events a second, as this page sees them</span>
      </div>
      ${
        busiest.length === 0
          ? empty({
              icon: ICONS.topics,
              title: "Nothing is published just now",
              text: "The busiest topics stand here as soon as events come.",
            })
          : html`
              <ol class="busiest card-body">
                ${busiest.map(
                  ({ topic, rate }) => html`
                    <li>
                      <a
                        class="mono cut"
                        href="#tail?pattern=${encodeURIComponent(topic)}"
                        title="Follow ${topic}"
                      >
                        ${topic}
                      </a>
                      <span class="busiest-bar" aria-hidden="true">
                        <i .style=${`width: ${most > 0 ? (100 * rate) / most : 0}%`}></i>
                      </span>
                      <span class="number">${format.rate(rate)}</span>
                    </li>
                  `,
                )}
              </ol>
            `
      }
    </section>
  `;
}
