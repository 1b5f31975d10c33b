// A decision: its options with the votes for each, and which was chosen.

import { sizeBar } from "../parts/bar.js";
import { glyph, pill } from "../parts/pill.js";
import { optionsOf } from "../parts/votes.js";
import { html, nothing } from "../template.js";
import { deadline } from "./deadline.js";
import { REASONS } from "./proposal.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").Decision} Decision */

const MOST_OPTIONS = 12;

/**
 * @param {Decision} decision
 * @param {Context} context
 */
export function decisionCard(decision, { format }) {
  const { id, type, question, votes, voters, result, reason, deadlineMs, tsMs } = decision;
  const options = optionsOf(decision);
  const most = Math.max(1, voters?.length ?? votes.length);
  const rest = options.length - MOST_OPTIONS;
  const cast = format.plural(votes.length, "vote");
  return html`<article class="vote">
    <header class="vote-head"><h3 class="cut" title=${id}>${question}</h3>${pill(type)}</header>
    <ul class="options">${options.slice(0, MOST_OPTIONS).map((option) => optionLine(option, most, format))}</ul>
    ${rest > 0 ? html`<p class="faint">${rest} more options.</p>` : nothing}
    <p class="vote-facts faint">
      <span>${voters === null ? cast : `${votes.length} of ${format.plural(voters.length, "voter")}`}</span>
      ${type === "asked" ? deadline(deadlineMs, format) : html`<span>${format.ago(tsMs)}</span>`}
      ${reason ? html`<span>${REASONS[reason] ?? reason}</span>` : nothing}
      ${result?.confidence == null ? nothing : html`<span>sure ${format.percent(result.confidence)}</span>`}
    </p>
  </article>`;
}

/**
 * @param {ReturnType<typeof optionsOf>[number]} option
 * @param {number} most votes that there can be
 * @param {Context["format"]} format
 */
function optionLine({ option, votes, confidence, isChosen }, most, format) {
  const sure = confidence === null ? "" : `sure ${format.percent(confidence)}`;
  return html`<li data-chosen=${isChosen}>
    <span class="option-name"><span class="cut" title=${option}>${option}</span>
      ${isChosen ? html`<span class="option-mark">${glyph("good")}chosen</span>` : nothing}</span>
    ${sizeBar(votes, most)}
    <span class="option-count"><b>${votes}</b> <span class="faint">${sure}</span></span>
  </li>`;
}
