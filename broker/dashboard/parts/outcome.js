// What became of something that was sent: under way, done, or failed with the broker's own words.

import { html, nothing } from "../template.js";
import { ICONS } from "./icons.js";

/** @typedef {{code: string, message: string, field: string | null}} Failure */

/**
 * `body` is drawn anew each time.
 *
 * @typedef {{is: "idle"} | {is: "waiting", text: string} | {is: "done", title: string, body?: () => unknown}
 *   | {is: "failed", failure: Failure}} Outcome
 */

/**
 * @param {unknown} error as a call or a publish has thrown it
 * @returns {Failure}
 */
export function failureOf(error) {
  const { code, message, field } = /** @type {{code?: unknown, message?: unknown, field?: unknown}} */ (
    error ?? {}
  );
  return {
    code: typeof code === "string" ? code : "INTERNAL_ERROR",
    message: typeof message === "string" ? message : String(error),
    field: typeof field === "string" ? field : null,
  };
}

/** @param {Outcome} outcome */
export function outcomeTemplate(outcome) {
  return html`<div class="outcome" aria-live="polite">${content(outcome)}</div>`;
}

/** @param {Outcome} outcome */
function content(outcome) {
  if (outcome.is === "idle") return nothing;
  if (outcome.is === "waiting") return html`<p class="outcome-waiting muted">${outcome.text}</p>`;
  if (outcome.is === "done")
    return html`<div class="notice ok"><strong>${outcome.title}</strong></div>${outcome.body?.() ?? nothing}`;
  const { code, message, field } = outcome.failure;
  return html`<div class="notice bad">${ICONS.warning}<span><strong>${code}</strong>
    ${field === null ? nothing : html` in <code>${field}</code>`}<br>${message}</span></div>`;
}
