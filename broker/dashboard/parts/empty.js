// What stands where nothing is yet: what would appear, and the command that makes it.

import { html, nothing } from "../template.js";

/**
 * @param {object} given
 * @param {import("../template.js").TemplateResult} given.icon
 * @param {string} given.title
 * @param {unknown} given.text
 * @param {string} [given.command] a line for a shell
 * @param {unknown} [given.action] a button
 */
export function empty({ icon, title, text, command, action = nothing }) {
  return html`<div class="empty">
    ${icon}<strong>${title}</strong>
    <p class="empty-text">${text}</p>
    ${command === undefined
      ? nothing
      : html`<pre class="empty-command" tabindex="0" aria-label="Command"><code>${command}</code></pre>`}
    ${action}
  </div>`;
}

/** What stands where a slice has not come yet. */
export function loading() {
  return html`<div class="loading" aria-label="Waiting for the broker" role="img">
    <div class="waiting"></div><div class="waiting"></div><div class="waiting"></div>
  </div>`;
}
