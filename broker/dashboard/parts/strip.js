// Which state held when, as a strip from the first change until now. The height of a span repeats its colour.

import { duration, time } from "../format.js";
import { html, svg } from "../template.js";
import { toneOf } from "./pill.js";
import { spansOf, timesOf } from "./stripspans.js";

/** @typedef {import("./pill.js").Tone} Tone */

/**
 * How much of the strip's height a tone fills: states are told apart without their colours.
 *
 * @type {Record<Tone, number>}
 */
const HEIGHTS = { off: 0.2, quiet: 0.4, good: 0.6, active: 0.7, warn: 0.85, bad: 1 };

const WIDTH = 1000;
const HEIGHT = 36;

/**
 * @param {readonly import("./stripspans.js").Change[]} changes  oldest first
 * @param {string} label
 * @param {number} [nowMs]
 */
export function strip(changes, label, nowMs = Date.now()) {
  const spans = spansOf(changes, nowMs);
  const times = timesOf(spans).slice(0, 5);
  const said = times.map(({ status, ms }) => `${status} ${duration(ms)}`).join(", ");
  return html`<figure class="strip">
    <svg class="strip-drawing" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img"
      aria-label="${label}: ${said}">${spans.map(span)}</svg>
    <figcaption>
      <span class="strip-ends"><time>${time(spans[0]?.fromMs)}</time><time>now</time></span>
      <span class="strip-times">${times.map(({ status, ms }) => html`<span><i class="shares-key"
        data-tone=${toneOf(status)} aria-hidden="true"></i>${status} <b>${duration(ms)}</b></span>`)}</span>
    </figcaption>
  </figure>`;
}

/** @param {import("./stripspans.js").Span} span */
function span({ status, fromMs, toMs, start, width }) {
  const tone = toneOf(status);
  const height = HEIGHT * HEIGHTS[tone];
  return svg`<rect data-tone=${tone} x=${start * WIDTH} y=${HEIGHT - height} width=${width * WIDTH}
    height=${height}>
    <title>${status}, ${time(fromMs)} to ${time(toMs)} (${duration(toMs - fromMs)})</title></rect>`;
}
