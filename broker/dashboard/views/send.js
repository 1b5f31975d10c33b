// The forms that publish an event and call a method, each where the token allows it.

import { empty, loading } from "../parts/empty.js";
import { ICONS } from "../parts/icons.js";
import { html, nothing } from "../template.js";
import { CallForm } from "./callform.js";
import { PublishForm } from "./publishform.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */

/**
 * @param {Context} context
 * @returns {View}
 */
export function sendView(context) {
  const publish = new PublishForm(context);
  const call = new CallForm(context);
  return {
    name: "send",
    title: "Send",
    icon: ICONS.send,
    wants: () => ({}),
    draw({ status }) {
      const may = context.may();
      if (may.call && status?.phase === "ready") call.suggest();
      return html`
        <div class="view-head"><h1>Send</h1></div>
        ${
          may.publish || may.call
            ? html`
                <div class="forms">
                  ${may.publish ? publish.template() : nothing}${may.call ? call.template() : nothing}
                </div>
              `
            : status?.identity
              ? readOnly(status.identity.subject)
              : loading()
        }
      `;
    },
    opened: (params) => publish.opened(params),
    closed: () => call.forget(),
  };
}

/** @param {string} subject */
function readOnly(subject) {
  return empty({
    icon: ICONS.send,
    title: "This token may only look",
    text: `${subject} may neither publish nor call. A token that may is made by`,
    command: "swarmwire token --subject ops --publish 'agent.#' --call '#'",
  });
}
