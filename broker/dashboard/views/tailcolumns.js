// The columns of the tail; a gap is a row of its own that says what is missing.

import { gapReason } from "../parts/gaps.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../model/slices.js").TailEvent | import("../model/slices.js").TailGap} Row */

/**
 * @param {typeof import("../format.js")} format
 * @returns {import("../parts/rows.js").Column<Row>[]}
 */
export function tailColumns(format) {
  return [
    {
      name: "time",
      title: "Time",
      cell: ({ tsMs }) => html`<span class="mono faint">${format.time(tsMs, { millis: true })}</span>`,
    },
    {
      name: "seq",
      title: "Seq",
      cell: (row) => (row.gap === null ? seq(row.seq) : html`<span class="tail-gap">gap</span>`),
    },
    {
      name: "topic",
      title: "Topic",
      cell: (row) =>
        row.gap === null
          ? html`<span class="mono" title=${row.topic}>${row.topic}</span>`
          : lost(row, format),
    },
    {
      name: "data",
      title: "Data",
      cell: (row) =>
        row.gap === null
          ? html`<span class="mono muted">${row.preview}</span>`
          : html`<span class="mono" title="${row.from} to ${row.to}">${row.from} to ${row.to}</span>`,
    },
    {
      name: "skipped",
      title: "Left out",
      cell: (row) => (row.gap === null ? skipped(row.skipped, format) : nothing),
    },
  ];
}

/** @param {number | null} number */
function seq(number) {
  return number === null
    ? html`<span class="faint" title="Ephemeral: it is not in the log">live only</span>`
    : html`<span class="mono">${number}</span>`;
}

/**
 * @param {number} number
 * @param {typeof import("../format.js")} format
 */
function skipped(number, format) {
  if (number === 0) return nothing;
  const title = `${format.plural(number, "earlier event")} of this topic left out`;
  return html`<span class="faint" title=${title}>+${format.compact(number)}</span>`;
}

/**
 * @param {import("../model/slices.js").TailGap} row
 * @param {typeof import("../format.js")} format
 */
function lost({ gap, dropped }, format) {
  const number = dropped === null ? "" : `, ${format.plural(dropped, "event")}`;
  const reason = gapReason(gap);
  return html`<span title=${reason}><strong>${gap}</strong>${number}: ${reason}</span>`;
}
