// Arithmetic of a windowed list: which rows of a long list are drawn, and where the keyboard leads.

/** Never are more rows in the page, however tall its window. */
export const MOST_ROWS = 60;

/** Rows drawn above and below what is seen, so that a scroll shows rows and not their place. */
const MARGIN = 8;

/** The first row of a window is a multiple of this: not every pixel of a scroll is another question. */
const STEP = 4;

/** @typedef {{ offset: number, limit: number }} Window */
/** In pixels, but for the total. */
/** @typedef {{ scrollTop: number, height: number, rowHeight: number, total: number }} Viewport */

/**
 * The rows to draw: those seen and a margin, at most MOST_ROWS of them. `total` 0 is an empty or unknown
 * list, of which the first rows are asked for.
 * @param {Viewport} viewport
 * @returns {Window}
 */
export function windowOf({ scrollTop, height, rowHeight, total }) {
  const seen = Math.ceil(height / rowHeight) + 1;
  const limit = Math.min(MOST_ROWS, ceilTo(seen + 2 * MARGIN, STEP));
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight) - Math.max(0, Math.floor((limit - seen) / 2));
  const last = Math.max(0, total - limit);
  const offset = Math.min(Math.max(0, first), ceilTo(last, STEP));
  return { offset: offset - (offset % STEP), limit };
}

/**
 * Where a key leads from row `active`, or null for a key that moves nowhere. From -1, no row, every key leads
 * to a row.
 * @param {string} key  as KeyboardEvent names it
 * @param {number} active
 * @param {number} total
 * @param {number} page  rows that PageUp and PageDown leap
 * @returns {number | null}
 */
export function stepOf(key, active, total, page) {
  if (total === 0) return null;
  const steps = /** @type {Record<string, number>} */ ({
    ArrowDown: active + 1,
    ArrowUp: active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: total - 1,
  });
  const to = Object.hasOwn(steps, key) ? steps[key] : undefined;
  return to === undefined ? null : Math.min(Math.max(0, to), total - 1);
}

/**
 * The scroll position that shows row `index` whole: the present one where it is seen already.
 * @param {number} index
 * @param {Omit<Viewport, "total">} viewport  without the height of the header
 * @returns {number}
 */
export function scrollTo(index, { scrollTop, height, rowHeight }) {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + rowHeight - height);
}

/** @param {number} value @param {number} step */
function ceilTo(value, step) {
  return Math.ceil(value / step) * step;
}
