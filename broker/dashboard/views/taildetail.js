// One event of the tail in full, or what a gap means.

import { facts } from "../parts/facts.js";
import { gapReason } from "../parts/gaps.js";
import { ICONS } from "../parts/icons.js";
import { panel, section } from "../parts/panel.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../model/slices.js").TailEvent} Event */
/** @typedef {import("../model/slices.js").TailGap} Gap */

/**
 * @typedef {object} Given
 * @property {typeof import("../format.js")} format
 * @property {import("../parts/json.js").JsonView} json
 * @property {string | null} epoch of the log that the events are in
 * @property {(text: string, what: string) => void} copy
 * @property {(topic: string) => void} follow
 * @property {() => void} close
 * @property {string} said about what was copied
 */

/**
 * @param {Event | Gap} row
 * @param {Given} given
 */
export function tailDetail(row, given) {
  return row.gap === null ? eventDetail(row, given) : gapDetail(row, given);
}

/**
 * @param {Event} event
 * @param {Given} given
 */
function eventDetail(event, { format, json, epoch, copy, follow, close, said }) {
  const cursor = event.seq === null || epoch === null ? null : `${epoch}:${event.seq}`;
  const skipped = event.skipped === 0 ? null : format.plural(event.skipped, "earlier event");
  const body = html`
    <div class="detail-actions">
      ${copyButton("Topic", event.topic, copy)}
      ${cursor === null ? nothing : copyButton("Cursor", cursor, copy)}
      ${copyButton("Data", event.json, copy)}
      <button class="button small" type="button" @click=${() => follow(event.topic)}>
        ${ICONS.tail}Follow topic
      </button>
      <span class="help" aria-hidden="true">${said}</span>
    </div>
    ${facts([
      [
        "Cursor",
        cursor === null
          ? "none: live only"
          : html`
              <span class="mono">${cursor}</span>
            `,
      ],
      ["Time", `${format.dateTime(event.tsMs)}`],
      ["From", event.from ?? "the broker"],
      ["Left out", skipped],
    ])}
    ${section(
      "Data",
      html`
        ${
          event.isCut
            ? html`
                <p class="help">Only the beginning of it is shown.</p>
              `
            : nothing
        }
        ${json.template(event.json, String(event.key))}
      `,
    )}
  `;
  return panel({ kind: "Event", title: event.topic, body, close });
}

/**
 * @param {Gap} gap
 * @param {Given} given
 */
function gapDetail(gap, { format, copy, close }) {
  const body = html`
    <p>${gapReason(gap.gap)}</p>
    ${facts([
      ["Reason", gap.gap],
      ["Missing", gap.dropped === null ? "it is not known how many" : format.plural(gap.dropped, "event")],
      [
        "After",
        html`
          <span class="mono">${gap.from}</span>
        `,
      ],
      [
        "Up to",
        html`
          <span class="mono">${gap.to}</span>
        `,
      ],
      ["Time", format.dateTime(gap.tsMs)],
    ])}
    <div class="detail-actions">
      ${copyButton("First cursor", gap.from, copy)}${copyButton("Last cursor", gap.to, copy)}
    </div>
  `;
  return panel({ kind: "Gap", title: gap.gap, body, close });
}

/**
 * @param {string} what
 * @param {string} text
 * @param {Given["copy"]} copy
 */
function copyButton(what, text, copy) {
  return html`
    <button
      class="button small"
      type="button"
      title="Copy: ${text.slice(0, 200)}"
      @click=${() => copy(text, what)}
    >
      ${ICONS.copy}${what}
    </button>
  `;
}
