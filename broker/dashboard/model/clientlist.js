/**
 * The slice `clients`: who is connected, and what the selected one has subscribed to, asked for while it is
 * looked at.
 */

import { fieldsOf, listOf, numberOf, textOf } from "./event.js";
import { OrderedList } from "./orderedlist.js";
import { Poll } from "./poll.js";
import { windowOf } from "./window.js";

/** @typedef {import("./slices.js").ClientRow} ClientRow */
/** @typedef {import("./slices.js").ClientsQuery} ClientsQuery */
/** @typedef {import("./slices.js").ClientsSlice} ClientsSlice */
/** @typedef {import("./overview.js").Ask} Ask */

const EVERY_MS = 2000;
/** Clients of one answer, the most that the broker gives. */
const PAGE = 1000;
/** Clients asked for in all. */
const MOST = 10000;

/** @type {Record<string, (client: ClientRow) => string|number|null>} */
const COLUMNS = {
  name: (client) => client.name,
  kind: (client) => client.kind ?? null,
  subject: (client) => client.subject,
  transport: (client) => client.transport,
  subscriptions: (client) => client.subscriptions,
  lag: (client) => client.lag,
  queue_bytes: (client) => client.queue_bytes,
  connected_at: (client) => client.connected_at,
};

/** @param {unknown} value @returns {ClientRow} */
function clientOf(value) {
  const client = fieldsOf(value);
  const row = /** @type {ClientRow} */ (/** @type {unknown} */ (client));
  const texts = { name: textOf(client.name) ?? "", subject: textOf(client.subject) ?? "" };
  return { ...row, ...texts, lag: numberOf(client.lag) };
}

/** @param {unknown} value @returns {import("./slices.js").SubscriptionRow} */
function subscriptionOf(value) {
  const { sub, pattern, mode, live } = fieldsOf(value);
  const texts = { sub: textOf(sub) ?? "", pattern: textOf(pattern) ?? "", mode: textOf(mode) ?? "" };
  return { ...texts, live: live === true };
}

export class ClientList {
  revision = 0;
  /** How many there are; null while nobody has asked. @type {number|null} */
  count = null;
  /** @type {ClientRow[]} */
  #clients = [];
  /** @type {OrderedList<ClientRow>} */
  #list = new OrderedList(() => this.#clients, COLUMNS);
  /** @type {{id: string, rows: import("./slices.js").SubscriptionRow[]}|null} */
  #subscriptions = null;
  #ask;
  #query;
  #poll;

  /**
   * @param {Ask} ask
   * @param {() => ClientsQuery|undefined} query  what the page looks at just now
   * @param {import("./stream.js").Clock} clock
   */
  constructor(ask, query, clock) {
    this.#ask = ask;
    this.#query = query;
    const isWanted = () => query() !== undefined;
    this.#poll = new Poll({ ask: () => this.#all(), take: () => {}, everyMs: EVERY_MS, isWanted }, clock);
  }

  start() {
    this.#poll.start();
  }

  stop() {
    this.#poll.stop();
  }

  /** What was told to somebody else. */
  forget() {
    this.#clients = [];
    this.count = this.#subscriptions = null;
    this.revision += 1;
  }

  /** The page has begun to look, or at another one. */
  hurry() {
    this.#poll.hurry();
  }

  /** @param {ClientsQuery} query @param {number} nowMs @returns {ClientsSlice} */
  slice({ filter = "", sort = "name", offset, limit, selected = null }, nowMs) {
    const holds = (/** @type {string|undefined} */ text) => text?.includes(filter) ?? false;
    const test = (/** @type {ClientRow} */ client) =>
      holds(client.name) || holds(client.subject) || holds(client.client_id) || holds(client.address);
    const order = this.#list.order(sort, JSON.stringify([filter, this.revision]), test, this.revision, nowMs);
    const { items, ...place } = windowOf(order, { offset, limit });
    const chosen = this.#clients.find(({ client_id: id }) => id === selected);
    const rows = this.#subscriptions?.id === selected ? this.#subscriptions.rows : null;
    return {
      denied: this.#poll.denied,
      ...place,
      all: this.count ?? 0,
      rows: items,
      detail: chosen === undefined ? null : { ...chosen, rows },
    };
  }

  async #all() {
    /** @type {ClientRow[]} */
    const found = [];
    let count = Infinity;
    while (found.length < Math.min(count, MOST)) {
      const answer = fieldsOf(await this.#ask("client.list", { limit: PAGE, offset: found.length }));
      const page = listOf(answer.clients).map(clientOf);
      count = numberOf(answer.count) ?? page.length;
      found.push(...page);
      if (page.length === 0) break;
    }
    this.#clients = found;
    this.count = Number.isFinite(count) ? count : found.length;
    this.revision += 1;
    await this.#look();
  }

  async #look() {
    const id = this.#query()?.selected ?? null;
    if (id === null) return;
    const answer = fieldsOf(await this.#ask("subscription.list", { client_id: id, limit: PAGE }));
    this.#subscriptions = { id, rows: listOf(answer.subscriptions).map(subscriptionOf) };
    this.revision += 1;
  }
}
