// How long a vote still has.

import { html, nothing } from "../template.js";

/**
 * @param {number | null} deadlineMs
 * @param {Pick<typeof import("../format.js"), "duration" | "dateTime">} format
 * @param {number} [nowMs]
 */
export function deadline(deadlineMs, format, nowMs = Date.now()) {
  if (deadlineMs === null) return nothing;
  const left = deadlineMs - nowMs;
  const time = left < 60_000 ? `${Math.ceil(left / 1000)} s` : format.duration(left);
  return html`<span class="countdown" title=${format.dateTime(deadlineMs)}>${left > 0
    ? `${time} left`
    : "the deadline is over"}</span>`;
}
