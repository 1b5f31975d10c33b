// Every client that is connected: how, as whom, to what it listens, and how far behind it is.

import { empty } from "../parts/empty.js";
import { facts } from "../parts/facts.js";
import { ICONS } from "../parts/icons.js";
import { Listing } from "../parts/listing.js";
import { section } from "../parts/panel.js";
import { pill } from "../parts/pill.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").ClientRow} ClientRow */
/** @typedef {import("../model/slices.js").ClientDetail} ClientDetail */
/** @typedef {import("../model/slices.js").ClientsSlice} ClientsSlice */

/** Subscriptions of one client that are listed; the rest is counted. */
const MOST_SUBSCRIPTIONS = 60;

/**
 * @param {Context} context
 * @returns {View}
 */
export function clientsView(context) {
  const options = { name: "clients", label: "Clients", columns: columns(context), keyOf, sort: "name" };
  const listing = new Listing(context, options);

  return {
    name: "clients",
    title: "Clients",
    icon: ICONS.clients,
    wants: () => ({ clients: { ...listing.query(), selected: listing.selected } }),
    opened: (params) => listing.opened(params),
    closed: () => listing.closed(),
    draw: (slices) => {
      const slice = /** @type {ClientsSlice | undefined} */ (slices.clients);
      if (slice?.denied) return denied();
      return html`<div class="fills">
        <div class="view-head"><h1>Clients</h1>
          ${listing.bar("Part of a name, a subject, an id or an address", slice?.total)}</div>
        ${listing.draw(slice, "client", slice?.detail ? clientDetail(slice.detail, context) : null)}
      </div>`;
    },
  };
}

/** @param {ClientRow} client */
function keyOf({ client_id }) {
  return client_id;
}

function denied() {
  return html`<div class="fills"><div class="view-head"><h1>Clients</h1></div>${empty({
    icon: ICONS.clients,
    title: "This token may not look at clients",
    text: html`It lacks the permission <code>observe</code>, with which a token looks at clients, subscriptions
      and figures, and changes nothing. Log in with one that has it:`,
    command: "swarmwire token --subject ops --subscribe '#' --observe",
  })}</div>`;
}

/**
 * @param {Context} context
 * @returns {import("../parts/rows.js").Column<ClientRow>[]}
 */
function columns({ format }) {
  const figure = { sorts: true, falls: true };
  return [
    { name: "name", title: "Client", sorts: true, cell: ({ name, client_id }) => html`<span class="name"
      title=${client_id}>${name || client_id}</span>` },
    { name: "state", title: "State", cell: ({ catching_up }) => pill(catching_up ? "catching up" : "live") },
    { name: "subject", title: "Subject", sorts: true, cell: ({ subject }) => html`<span
      title=${subject}>${subject}</span>` },
    { name: "kind", title: "Kind", sorts: true, cell: ({ kind }) => kind ?? "" },
    { name: "transport", title: "Transport", sorts: true, cell: ({ transport }) => transport },
    { name: "subscriptions", title: "Subs", ...figure, cell: (row) => format.count(row.subscriptions) },
    { name: "lag", title: "Lag", ...figure, cell: ({ lag }) => amount(lag, format.count) },
    { name: "queue_bytes", title: "Queue", ...figure, cell: (row) => amount(row.queue_bytes, format.bytes) },
    { name: "connected_at", title: "Connected", ...figure, cell: (row) => format.ago(row.connected_at) },
  ];
}

/**
 * What is nothing stands back.
 *
 * @param {number | null} value
 * @param {(value: number | null) => string} written
 */
function amount(value, written) {
  return value ? written(value) : html`<span class="faint">${written(value)}</span>`;
}

/**
 * @param {ClientDetail} client
 * @param {Context} context
 * @returns {import("../parts/listing.js").Detail}
 */
function clientDetail(client, context) {
  const { format } = context;
  const software = [client.kind, client.version].filter(Boolean).join(" ");
  const body = html`${facts([
    ["Id", html`<span class="mono">${client.client_id}</span>`],
    ["Subject", client.subject],
    ["Software", software || null],
    ["Process", client.pid],
    ["Transport", client.transport],
    ["Address", client.address && html`<span class="mono">${client.address}</span>`],
    ["Connected", html`${format.dateTime(client.connected_at)}
      <span class="faint">(${format.ago(client.connected_at)})</span>`],
    ["Lag", client.lag === null ? null : `${format.plural(client.lag, "event")} behind`],
    ["Queue", `${format.bytes(client.queue_bytes)} wait to be written`],
  ])}
  ${section(`Subscriptions (${format.count(client.subscriptions)})`, subscriptions(client.rows, context))}`;
  const state = pill(client.catching_up ? "catching up" : "live");
  return { title: client.name || client.client_id, state, body };
}

/**
 * @param {ClientDetail["rows"]} rows
 * @param {Context} context
 */
function subscriptions(rows, { format, go }) {
  if (rows === null) return html`<p class="faint">Waiting for the broker …</p>`;
  if (rows.length === 0) return html`<p class="faint">It listens to nothing: it publishes or calls.</p>`;
  const rest = rows.length - MOST_SUBSCRIPTIONS;
  return html`<ul class="subscriptions">
    ${rows.slice(0, MOST_SUBSCRIPTIONS).map(({ pattern, mode, live }) => html`<li>
      <button type="button" class="link mono" title="Read along"
        @click=${() => go("tail", { pattern })}>${pattern}</button>
      <span class="faint">${mode}</span>${pill(live ? "live" : "catching up")}
    </li>`)}
  </ul>${rest > 0 ? html`<p class="faint">${format.count(rest)} more.</p>` : nothing}`;
}
