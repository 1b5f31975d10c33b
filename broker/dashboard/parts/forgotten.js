// What this page no longer knows, since more came than it keeps.

/**
 * @param {Record<string, number>} dropped numbers by kind, as the slice `status` tells them
 * @param {Pick<typeof import("../format.js"), "count">} format
 * @returns {string} empty where nothing was forgotten
 */
export function forgottenText(dropped, { count }) {
  const kinds = Object.entries(dropped).map(([kind, number]) => `${kind} ${count(number)}`);
  return kinds.length === 0 ? "" : `forgotten here: ${kinds.join(", ")}`;
}
