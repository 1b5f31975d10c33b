// Arithmetic of a strip of states over time.

/** @typedef {{ tsMs: number, status: string }} Change */
/** @typedef {{ status: string, fromMs: number, toMs: number, start: number, width: number }} Span
 *   `start` and `width` are shares of the strip, from 0 to 1 */

/** A span narrower than this share of the strip would not be seen. */
const NARROWEST = 0.004;

/**
 * The spans in which each state held, from the first change until `nowMs`. Neighbours of the same state are
 * one.
 * @param {readonly Change[]} changes  oldest first
 * @param {number} nowMs
 * @returns {Span[]}
 */
export function spansOf(changes, nowMs) {
  const kept = changes.filter(({ status }, at) => at === 0 || changes[at - 1].status !== status);
  if (kept.length === 0) return [];
  const first = kept[0].tsMs;
  const length = Math.max(1, nowMs - first);
  return kept.map(({ status, tsMs }, at) => {
    const toMs = Math.max(tsMs, kept[at + 1]?.tsMs ?? nowMs);
    const start = Math.min(1 - NARROWEST, Math.max(0, (tsMs - first) / length));
    const width = Math.min(1 - start, Math.max(NARROWEST, (toMs - tsMs) / length));
    return { status, fromMs: tsMs, toMs, start, width };
  });
}

/**
 * How long each state held, the longest first.
 * @param {readonly Span[]} spans
 * @returns {{ status: string, ms: number }[]}
 */
export function timesOf(spans) {
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const { status, fromMs, toMs } of spans) times.set(status, (times.get(status) ?? 0) + toMs - fromMs);
  return [...times].map(([status, ms]) => ({ status, ms })).sort((a, b) => b.ms - a.ms);
}
