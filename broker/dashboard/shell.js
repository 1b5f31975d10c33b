// The frame around every view: header, navigation, and what is wrong with the connection.

import * as format from "./format.js";
import { gapsBell } from "./parts/gaps.js";
import { ICONS } from "./parts/icons.js";
import { html, nothing, repeat } from "./template.js";

/** @typedef {import("./app.js").Status} Status */
/** @typedef {import("./context.js").View} View */
/** @typedef {import("./context.js").Content} Content */
/** @typedef {import("./theme.js").Theme} Theme */

/** On a phone these stand in the bar, and the others behind "More". */
const IN_THE_BAR = new Set(["overview", "topics", "agents", "tasks", "tail"]);

/** @type {Record<string, {text: string, look: string}>} */
const PHASES = {
  connecting: { text: "Connecting", look: "info" },
  ready: { text: "Connected", look: "ok" },
  reconnecting: { text: "Reconnecting", look: "warn" },
};

const THEMES = { auto: "as the system", dark: "dark", light: "light" };

/**
 * @param {{
 *   status: Status, views: View[], view: View, content: Content, theme: Theme, logout: (() => void) | null,
 * }} given
 */
export function shell({ status, views, view, content, theme, logout }) {
  return html`<a class="skip" href="#content" @click=${skip}>Skip to the content</a>
    <header class="header">
      <a class="brand" href="#overview" title="Overview">
        <img src="dashboard/icon.svg" alt="" width="24" height="24">
        <span>${status.server?.name ?? "Swarmwire"}</span>
      </a>
      ${phasePill(status)} ${figures(status)}
      <div class="header-tools">
        ${who(status)} ${gapsBell(status.gaps ?? [], status.gapCount ?? 0)} ${themeButton(theme)}
        ${logout === null ? nothing : iconButton("Log out", ICONS.leave, logout)}
      </div>
    </header>
    ${navigation(views, view)}
    <main class="main" id="content" tabindex="0" data-view=${view.name}>
      ${banner(status)}
      <div class="view view-${view.name}">${content}</div>
    </main>`;
}

/** @param {MouseEvent} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

/** @param {Status} status */
function phasePill({ phase }) {
  const { text, look } = PHASES[phase] ?? { text: phase, look: "info" };
  return html`<span class="phase ${look}" role="status">
    <i class="phase-dot" aria-hidden="true"></i>${text}
  </span>`;
}

/** @param {Status} status */
function figures({ rate, transport, phase }) {
  if (phase !== "ready") return nothing;
  return html`<b class="header-rate" title="Events that this page sees, a second">${format.rate(rate)}</b>
    <span class="header-transport faint" title="How this page is connected">${transport ?? nothing}</span>`;
}

/** @param {Status} status */
function who({ identity }) {
  if (!identity) return nothing;
  const until = identity.expiresAtMs ? `, until ${format.dateTime(identity.expiresAtMs)}` : "";
  const title = `Logged in as ${identity.subject}${until}`;
  return html`<span class="header-who faint" title=${title}>${identity.subject}</span>`;
}

/** @param {Theme} theme */
function themeButton(theme) {
  return iconButton(`Colours: ${THEMES[theme.choice]}`, ICONS[theme.choice], () => theme.turn());
}

/**
 * @param {string} label
 * @param {Content} icon
 * @param {() => void} press
 */
function iconButton(label, icon, press) {
  return html`<button class="button quiet icon-only" title=${label} aria-label=${label} @click=${press}>
    ${icon}
  </button>`;
}

/**
 * @param {View[]} views
 * @param {View} shown
 */
function navigation(views, shown) {
  const rest = views.filter(({ name }) => !IN_THE_BAR.has(name));
  return html`<nav class="nav" aria-label="Views">
      ${repeat(
        views,
        ({ name }) => name,
        (view) => link(view, view === shown, IN_THE_BAR.has(view.name)),
      )}
      <button class="nav-link nav-more ${rest.includes(shown) ? "is-shown" : ""}" popovertarget="more-views">
        ${ICONS.more}<span>More</span>
      </button>
    </nav>
    <div class="popover more-views" id="more-views" popover @click=${closePopover}>
      <nav aria-label="More views">${rest.map((view) => link(view, view === shown, true))}</nav>
    </div>`;
}

/**
 * @param {View} view
 * @param {boolean} isShown
 * @param {boolean} isInTheBar
 */
function link({ name, title, icon }, isShown, isInTheBar) {
  const current = isShown ? "page" : nothing;
  return html`<a class="nav-link ${isInTheBar ? "" : "not-in-bar"}" href="#${name}" aria-current=${current}>
    ${icon}<span>${title}</span>
  </a>`;
}

/** @param {MouseEvent} event */
function closePopover(event) {
  /** @type {HTMLElement} */ (event.currentTarget).hidePopover();
}

/** @param {Status} status */
function banner({ phase, attempt, retryAtMs, error, identity }) {
  if (phase === "ready" && identity?.subscribe.length === 0) {
    return html`<div class="notice warn banner">
      ${ICONS.warning}
      <span><strong>This login may not subscribe to anything</strong>, so no events are shown.</span>
    </div>`;
  }
  if (phase !== "reconnecting") return nothing;
  const wait = retryAtMs ? Math.max(0, Math.ceil((retryAtMs - Date.now()) / 1000)) : 0;
  const when = wait > 0 ? `trying again in ${wait} s` : "trying again";
  const count = attempt ? ` (attempt ${attempt})` : "";
  return html`<div class="notice warn banner">
    ${ICONS.warning}
    <span><strong>The broker is not reached</strong>, ${when}${count}.
      What is shown may be out of date. <span class="faint">${error?.message ?? nothing}</span></span>
  </div>`;
}
