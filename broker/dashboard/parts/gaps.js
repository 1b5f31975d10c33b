// The bell of the header: what this page has missed, and why.

import * as format from "../format.js";
import { html, nothing } from "../template.js";
import { ICONS } from "./icons.js";

/** @typedef {import("../model/slices.js").GapNote} Gap */

const REASONS = Object.freeze(
  /** @type {Record<string, string>} */ ({
    evicted: "The log no longer held these events.",
    overflow: "This page read too slowly, and the broker left some out.",
    epoch: "The broker began a new log.",
    denied: "The permission to read them was withdrawn.",
  }),
);

/** @param {string} reason one of the protocol's */
export function gapReason(reason) {
  return REASONS[reason] ?? "Events may be missing.";
}

/**
 * @param {Gap[]} gaps the last ones, newest first
 * @param {number} total of all that there were
 */
export function gapsBell(gaps, total) {
  const label =
    total === 0 ? "No gaps: nothing was missed" : `${format.plural(total, "gap")} in what was seen`;
  const number = html`<span class="bell-count" aria-hidden="true">${format.compact(total)}</span>`;
  const shown = html`<span class="faint">the last ${gaps.length} of ${format.count(total)}</span>`;
  return html`<button class="button quiet icon-only bell" popovertarget="gaps"
      title=${label} aria-label=${label}>
      ${ICONS.bell}${total > 0 ? number : nothing}
    </button>
    <div class="popover gaps" id="gaps" popover role="dialog" aria-label="Gaps">
      <h2>Gaps ${total > gaps.length ? shown : nothing}</h2>
      ${total === 0 ? html`<p class="faint">Nothing was missed since this page was opened.</p>` : list(gaps)}
    </div>`;
}

/** @param {Gap[]} gaps */
function list(gaps) {
  return html`<ul class="gaps-list">${gaps.map(
    (gap) => html`<li>
      <div><strong>${gap.reason}</strong><time class="faint">${format.time(gap.atMs)}</time></div>
      <div>${gapReason(gap.reason)} ${gap.dropped === null ? nothing : missing(gap.dropped)}</div>
      <div class="mono faint cut" title="${gap.from} to ${gap.to}">${gap.from} to ${gap.to}</div>
    </li>`,
  )}</ul>`;
}

/** @param {number} number */
function missing(number) {
  return `${format.plural(number, "event")} ${number === 1 ? "is" : "are"} missing.`;
}
