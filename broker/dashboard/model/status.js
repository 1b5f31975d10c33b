/** The slice `status`: where the page stands with the broker, and what came so far. */

import { fieldsOf, listOf, numberOf } from "./event.js";

/** @typedef {import("./slices.js").StatusSlice} StatusSlice */
/** @typedef {import("./slices.js").May} May */
/** @typedef {import("./slices.js").GapNote} GapNote */
/** @typedef {import("./session.js").Session} Session */

/** Gaps told of. */
const GAPS = 20;

/** @param {import("../../sdk/client.js").Client|null} client */
function permissionsOf(client) {
  const permissions = fieldsOf(client?.identity?.permissions);
  const patterns = (/** @type {string} */ name) => listOf(permissions[name]).map(String);
  const admin = permissions.admin === true;
  return {
    publish: patterns("publish"),
    subscribe: patterns("subscribe"),
    call: patterns("call"),
    admin,
    observe: admin || permissions.observe === true,
  };
}

/** The patterns that the client may subscribe to. @param {import("../../sdk/client.js").Client} client */
export function subscribable(client) {
  return permissionsOf(client).subscribe;
}

/** The gaps that were met, newest first. */
export class GapNotes {
  count = 0;
  /** @type {GapNote[]} */
  notes = [];

  /** @param {import("./tail.js").Missing} gap @param {number} atMs */
  add({ reason, start, end, dropped }, atMs) {
    this.count += 1;
    this.notes = [{ reason, from: start, to: end, dropped, atMs }, ...this.notes].slice(0, GAPS);
  }
}

/**
 * What is the connection's in the slice.
 * @param {Session} session
 */
export function connectionStatus({ phase, attempt, retryAtMs, error, client }) {
  const { publish, subscribe, call, admin, observe } = permissionsOf(client);
  const identity = client?.identity ?? null;
  const expiresAtMs = numberOf(identity?.expires_at);
  return {
    phase,
    attempt,
    retryAtMs,
    error,
    server: client?.server ?? null,
    identity: identity === null ? null : { subject: identity.subject, expiresAtMs, publish, subscribe, call },
    durability: client?.durability ?? null,
    transport: client?.transport ?? null,
    may: { publish: publish.length > 0, call: call.length > 0 || admin, observe, admin },
  };
}
