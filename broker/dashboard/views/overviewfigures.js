// The numbers of the overview: the broker's own, or what this page sees where its token allows no more.

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").OverviewSlice} Overview */
/** @typedef {import("../model/slices.js").Series} Series */
/** @typedef {import("../model/slices.js").StatusSlice} Status */
/** @typedef {import("../parts/figures.js").Figure} Figure */

/**
 * @param {Overview} overview
 * @param {Status | undefined} status
 * @param {Context["format"]} format
 * @returns {Figure[]}
 */
export function overviewFigures({ series, gauges, roundTripMs }, status, format) {
  return series === null ? seenHere(status, roundTripMs, format) : told(series, gauges, status, format);
}

/**
 * @param {Status | undefined} status
 * @param {number | null} roundTripMs
 * @param {Context["format"]} format
 * @returns {Figure[]}
 */
function seenHere(status, roundTripMs, format) {
  const { count, latency, plural, rate } = format;
  const counts = status?.counts;
  return [
    { name: "Events seen", value: rate(status?.rate), note: `${count(status?.seen)} so far` },
    { name: "Topics", value: count(counts?.topics), note: "with an event seen here" },
    { name: "Agents", value: count(counts?.agents), note: plural(counts?.swarms ?? 0, "swarm") },
    { name: "Tasks", value: count(counts?.tasks), note: "seen here" },
    { name: "Round trip", value: latency(roundTripMs), note: "of this page to the broker" },
    gaps(status?.gapCount ?? 0, format),
  ];
}

/**
 * @param {Series} series
 * @param {Overview["gauges"]} gauges
 * @param {Status | undefined} status
 * @param {Context["format"]} format
 * @returns {Figure[]}
 */
function told(series, gauges, status, format) {
  const { bytes, compact, count, latency, plural, rate } = format;
  const [p50, errors] = [last(series.p50), last(series.errors)];
  return [
    { name: "Events in", value: rate(last(series.publishes)), note: `${rate(status?.rate)} seen here` },
    {
      name: "Deliveries",
      value: rate(last(series.deliveries)),
      note: plural(gauges.subscriptions ?? 0, "subscription"),
    },
    { name: "Clients", value: count(gauges.connections), note: catchingUp(gauges.catching_up, format) },
    {
      name: "Publish, p99",
      value: latency(last(series.p99)),
      note: p50 === undefined ? "nothing was delivered at once" : `p50 ${latency(p50)}`,
    },
    { name: "Log", value: `${compact(gauges.log_events)} events`, note: bytes(gauges.log_bytes) },
    errors
      ? { name: "Errors", value: rate(errors), note: "sent to clients", look: "bad" }
      : gaps(status?.gapCount ?? 0, format),
  ];
}

/**
 * @param {number | undefined} sessions
 * @param {Context["format"]} format
 */
function catchingUp(sessions, format) {
  return sessions ? `${format.count(sessions)} catching up` : "all up to date";
}

/**
 * @param {number} number
 * @param {Context["format"]} format
 * @returns {Figure}
 */
function gaps(number, format) {
  const value = format.count(number);
  if (number === 0) return { name: "Gaps here", value, note: "nothing missed, no errors" };
  return { name: "Gaps here", value, note: "see the bell above", look: "warn" };
}

/** @param {(number | null)[] | undefined} values */
function last(values) {
  return values?.findLast((value) => value !== null);
}
