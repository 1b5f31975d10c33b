// What is shown to who is not connected: the login, why it was refused, or why a connection has ended.

import { html, nothing } from "./template.js";

/** @typedef {import("./app.js").Status} Status */

/** What the refusal of a token is called; the broker says the rest in a sentence. */
const REFUSALS = Object.freeze(
  /** @type {Record<string, string>} */ ({
    AUTHENTICATION_FAILED: "The token was refused",
    TOKEN_EXPIRED: "The token has expired",
  }),
);

/**
 * @param {{status: Status, login: (token: string) => void, again: () => void}} given
 */
export function loginPage({ status, login, again }) {
  return html`
    <main class="login" id="content">
      <section class="login-card">
        <img src="dashboard/icon.svg" alt="" width="44" height="44" />
        <h1>${status.server?.name ?? "Swarmwire"}</h1>
        ${status.phase === "login" ? tokenForm(login) : ended(again)}
        ${status.error ? refusal(status.error) : nothing}
      </section>
    </main>
  `;
}

/** @param {(token: string) => void} login */
function tokenForm(login) {
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const token = String(new FormData(form).get("token")).trim();
    if (token !== "") login(token);
  }
  return html`
    <form class="login-form" @submit=${submit}>
      <label for="token">Token</label>
      <input
        id="token"
        name="token"
        class="input mono"
        type="password"
        autocomplete="off"
        spellcheck="false"
        required
        aria-describedby="token-help"
        autofocus
      />
      <p id="token-help" class="help">It stays in this tab, and is forgotten when the tab is closed.</p>
      <button class="button primary wide">Connect</button>
      <details class="help login-help">
        <summary>How is a token made?</summary>
        <p>The broker's operator makes one. This one may look, and change nothing:</p>
        <code>swarmwire token --subject ops --subscribe '#' --observe</code>
      </details>
    </form>
  `;
}

/** @param {() => void} again */
function ended(again) {
  return html`
    <p class="help">The connection has ended, and is not made again by itself.</p>
    <button class="button primary wide" @click=${again}>Connect again</button>
  `;
}

/** @param {import("./model/slices.js").Problem} problem */
function refusal({ code, message }) {
  return html`
    <div class="notice bad" role="alert">
      <strong>${REFUSALS[code] ?? code}</strong>
      <span>${message}</span>
    </div>
  `;
}
