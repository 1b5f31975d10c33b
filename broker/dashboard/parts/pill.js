// Marks of a state: a pill with a glyph and its name. Shape and text tell the state, colour only repeats it.

import { html, svg } from "../template.js";

/** @typedef {"quiet" | "active" | "good" | "warn" | "bad" | "off"} Tone */

/** Glyphs on a field of 12 x 12, one shape a tone; drawn as strokes. */
const GLYPHS = /** @type {Record<Tone, string>} */ ({
  quiet: "M6 2.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7",
  active: "M4 2.5l5.5 3.5l-5.5 3.5z",
  good: "M2.5 6.5l2.5 2.5l4.5-5.5",
  warn: "M6 2v5M6 9.2v.6",
  bad: "M3 3l6 6M9 3l-6 6",
  off: "M2.5 6h7",
});

/** @type {Record<string, Tone>} */
const TONES = {
  idle: "quiet",
  pending: "quiet",
  created: "quiet",
  proposed: "quiet",
  asked: "quiet",
  none: "quiet",
  busy: "active",
  active: "active",
  assigned: "active",
  "in-progress": "active",
  running: "active",
  started: "active",
  resumed: "active",
  progress: "active",
  voting: "active",
  online: "good",
  healthy: "good",
  live: "good",
  completed: "good",
  accepted: "good",
  decided: "good",
  joined: "good",
  retrying: "warn",
  suspect: "warn",
  "catching up": "warn",
  paused: "warn",
  undecided: "warn",
  warn: "warn",
  error: "bad",
  failed: "bad",
  rejected: "bad",
  unhealthy: "bad",
  dead: "bad",
  offline: "off",
  gone: "off",
  cancelled: "off",
  closed: "off",
  left: "off",
  stopped: "off",
};

/**
 * The tone of a state's name; a name of the swarm's own is quiet.
 * @param {string} state
 * @returns {Tone}
 */
export function toneOf(state) {
  return Object.hasOwn(TONES, state) ? TONES[state] : "quiet";
}

/** @param {Tone} tone */
export function glyph(tone) {
  return html`<svg class="glyph" viewBox="0 0 12 12" aria-hidden="true"><path d=${GLYPHS[tone]} /></svg>`;
}

/**
 * The glyph inside another drawing, its middle at (x, y).
 * @param {Tone} tone
 * @param {number} x
 * @param {number} y
 * @param {number} scale
 */
export function glyphAt(tone, x, y, scale) {
  const place = `translate(${x - 6 * scale} ${y - 6 * scale}) scale(${scale})`;
  return svg`<path class="glyph" d=${GLYPHS[tone]} transform=${place} />`;
}

/**
 * @param {string} state  a state's name, which is the text too unless `text` is given
 * @param {string} [text]
 */
export function pill(state, text = state) {
  const tone = toneOf(state);
  return html`<span class="pill" data-tone=${tone}>${glyph(tone)}<span
    class="pill-text">${text}</span></span>`;
}
