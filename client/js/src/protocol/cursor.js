/** The cursor: a place in a log, as one string on the wire. */

import { SwarmwireError } from "./errors.js";

/**
 * The place behind event `seq` of the log named `epoch`; 0 is the place before the first. Where epochs
 * differ, neither place is the later.
 *
 * @typedef {{epoch: string, seq: number}} Cursor
 */

const CURSOR = /^([A-Za-z0-9_-]{1,64}):(0|[1-9][0-9]{0,15})$/;

/**
 * Read `<epoch>:<seq>`; throws INVALID_MESSAGE for anything else.
 *
 * @param {string} text
 * @returns {Cursor}
 */
export function parseCursor(text) {
  const [, epoch, digits] = CURSOR.exec(text) ?? [];
  const seq = Number(digits);
  if (epoch === undefined || !Number.isSafeInteger(seq)) {
    const sentence =
      "A cursor is <epoch>:<seq>, an epoch of 1 to 64 letters, digits, _ or - and a whole number from 0 to " +
      `${Number.MAX_SAFE_INTEGER}; ${JSON.stringify(text.slice(0, 100))} is none.`;
    throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: "cursor" });
  }
  return { epoch, seq };
}

/**
 * The cursor of the event `seq` of a log.
 *
 * @param {string} epoch
 * @param {number} seq
 */
export function cursorOf(epoch, seq) {
  return `${epoch}:${seq}`;
}

/**
 * Whether the event `seq`, of the same log, is still to come for who stands at this cursor.
 *
 * @param {string} cursor
 * @param {number} seq
 */
export function behind(cursor, seq) {
  return parseCursor(cursor).seq < seq;
}
