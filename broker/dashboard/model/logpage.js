/**
 * One page of the log: the events behind a cursor, read by a subscription, for which no right to call is
 * needed.
 */

import { parseCursor, cursorOf } from "../../sdk/protocol/cursor.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./tail.js").Missing} Missing */

/** Events of one page. */
export const PAGE = 200;

/**
 * @typedef {object} LogPage
 * @property {(TopicEvent|Missing)[]} items  oldest first
 * @property {string|null} newer  the cursor of the next page, null where this one reaches what is new
 */

/**
 * @param {import("./stream.js").Reader} client
 * @param {string} pattern
 * @param {string} cursor
 * @param {(reading: import("./stream.js").Reading) => void} opened  is given what ends the reading when
 *   closed
 * @returns {Promise<LogPage>}
 */
export async function readPage(client, pattern, cursor, opened) {
  const options = { from: { cursor }, buffer: PAGE, gaps: true, live: true };
  const reading = client.subscribe(pattern, options);
  opened(reading);
  /** @type {(TopicEvent|Missing)[]} */
  const items = [];
  for await (const item of reading) {
    // What is ephemeral is not in the log: it came by while that was read.
    if (item.topic !== undefined) item.seq !== null && items.push(item);
    else if (item.reason !== undefined) items.push(item);
    else return { items, newer: null };
    if (items.length === PAGE) return { items, newer: reading.cursor };
  }
  return { items, newer: null };
}

/**
 * The cursor of the page before; null at the beginning of the log.
 * @param {string} cursor
 * @returns {string|null}
 */
export function before(cursor) {
  const { epoch, seq } = parseCursor(cursor);
  return seq === 0 ? null : cursorOf(epoch, Math.max(0, seq - PAGE));
}
