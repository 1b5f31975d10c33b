/** The part of a list that is in sight. */

/**
 * The window that a query asks for, or the last full one where the list ends before.
 * @template T
 * @param {readonly T[]} items
 * @param {{offset: number, limit: number}} query
 * @returns {{total: number, offset: number, items: T[]}}
 */
export function windowOf(items, { offset, limit }) {
  const first = Math.max(0, Math.min(offset, items.length - limit));
  return { total: items.length, offset: first, items: items.slice(first, first + limit) };
}
