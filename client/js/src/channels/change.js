/** Events of a channel, read: what happened, to whom, as a checked record. */

import { SwarmwireError } from "../protocol/errors.js";
import { checkedRecord } from "./record.js";
import { KINDS } from "./table.js";
import { parseTopic } from "./topics.js";

/**
 * @typedef {import("./pubsub.js").Event} Event
 * @typedef {import("./record.js").Fields} Fields
 *
 * @typedef {(error: unknown, event: Event | null) => void} OnError told of what went wrong: the error, and
 *   the event at fault, or null if the subscription itself failed
 */

/**
 * One event of a channel. Who published it is `raw.sender`, which the broker vouches for; ids within the
 * record are the publisher's word.
 *
 * @template R
 * @typedef {object} Change
 * @property {R} record
 * @property {string} topic
 * @property {string} id the agent, task or swarm that the topic names
 * @property {string} event
 * @property {Event} raw the event as it came
 */

/**
 * Read an event, or null if its topic is none of the channels', such as an event of a later version.
 *
 * Throws INVALID_MESSAGE with the field, where the data is not what the topic promises.
 *
 * @param {Event} raw
 * @returns {Change<Fields> | null}
 */
export function readChange(raw) {
  const place = parseTopic(raw.topic);
  const kind = place === null ? undefined : KINDS.get(place.channel);
  const shape = place === null ? undefined : kind?.events.get(place.event);
  if (place === null || kind === undefined || shape === undefined) {
    return null;
  }
  const { id, event, itemId } = place;
  const record = checkedRecord(shape, raw.data, raw.ts);
  checkId(record, kind.idField, id);
  const item = kind.items.get(event);
  if (item !== undefined) {
    checkId(record, item, itemId);
  }
  return { record, topic: raw.topic, id, event, raw };
}

/**
 * A topic is what permissions were checked against, so the data cannot speak for another id.
 *
 * @param {Fields} record
 * @param {string} field
 * @param {string | null} expected
 */
function checkId(record, field, expected) {
  if (record[field] !== expected) {
    const got = JSON.stringify(String(record[field]).slice(0, 100));
    const wanted = JSON.stringify(expected?.slice(0, 100));
    const sentence = `Expected ${wanted}, which the topic names; got ${got}.`;
    throw new SwarmwireError("INVALID_MESSAGE", sentence, { field: `data.${field}` });
  }
}

/**
 * Hand an error to whoever asked for it, or to the console; never throws.
 *
 * @param {OnError | undefined} onError
 * @param {unknown} error
 * @param {Event | null} event
 */
export function report(onError, error, event) {
  if (onError === undefined) {
    console.warn("swarmwire channels: %s: %s", event?.topic ?? "subscription", error);
    return;
  }
  try {
    onError(error, event);
  } catch (failure) {
    console.error("swarmwire channels: onError failed while it was told of %s:", error, failure);
  }
}
