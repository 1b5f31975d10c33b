// A proposal: how its votes stand, what it needs, until when, and how it ended.

import { shareBar } from "../parts/bar.js";
import { glyph, pill } from "../parts/pill.js";
import { standingOf } from "../parts/votes.js";
import { html, nothing } from "../template.js";
import { deadline } from "./deadline.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").Proposal} Proposal */
/** @typedef {import("../parts/pill.js").Tone} Tone */

/** @type {Record<string, Tone>} */
const TONES = { yes: "good", no: "bad", abstain: "off" };

/** How an ended vote is said to have ended. @type {Record<string, string>} */
export const REASONS = { votes: "by the votes", deadline: "at the deadline", withdrawn: "withdrawn" };

const MOST_VOTERS = 40;

/**
 * @param {Proposal} proposal
 * @param {Context} context
 */
export function proposalCard(proposal, { format }) {
  const { id, type, proposal: text, proposer, quorum, result, reason, deadlineMs, tsMs } = proposal;
  const standing = standingOf(proposal);
  return html`<article class="vote">
    <header class="vote-head"><h3 class="cut" title=${id}>${id}</h3>${pill(type)}</header>
    ${text ? html`<p class="vote-text mono">${text}</p>` : nothing}
    ${shareBar([
      { name: "for", count: standing.yes, tone: "good" },
      { name: "against", count: standing.no, tone: "bad" },
      { name: "abstained", count: standing.abstain, tone: "off" },
    ], standing.whole, standing.mark)}
    <p class="vote-facts faint">
      ${quorum ? html`<span>needs ${quorum}</span>` : nothing}
      ${standing.silent > 0 ? html`<span>${standing.silent} silent</span>` : nothing}
      ${proposer ? html`<span>by ${proposer}</span>` : nothing}
      ${result === null ? deadline(deadlineMs, format) : html`<span>${format.ago(tsMs)}</span>`}
    </p>
    ${result === null ? nothing : html`<p class="vote-result">
      <b>${result.accepted ? "Accepted" : "Rejected"}</b>
      ${result.votesFor} to ${result.votesAgainst}${reason ? `, ${REASONS[reason] ?? reason}` : ""}</p>`}
    ${voters(proposal)}
  </article>`;
}

/** @param {Proposal} proposal */
function voters({ votes }) {
  if (votes.length === 0) return nothing;
  return html`<details class="vote-voters"><summary>Who voted</summary>
    <ul>${votes.slice(0, MOST_VOTERS).map(({ voter, vote }) => html`<li>
      <span class="vote-word" data-tone=${TONES[vote] ?? "off"}>${glyph(TONES[vote] ?? "off")}${vote}</span>
      <span class="cut" title=${voter}>${voter}</span></li>`)}</ul>
    ${votes.length > MOST_VOTERS ? html`<p class="faint">${votes.length - MOST_VOTERS} more.</p>` : nothing}
  </details>`;
}
