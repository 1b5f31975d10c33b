// Every topic as a tree, with how much happens below each branch, and the last event of one.

import { sizeBar } from "../parts/bar.js";
import { OpenBranches, parentOf } from "../parts/branches.js";
import { empty } from "../parts/empty.js";
import { facts } from "../parts/facts.js";
import { ICONS } from "../parts/icons.js";
import { JsonView } from "../parts/json.js";
import { Listing } from "../parts/listing.js";
import { section } from "../parts/panel.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").TopicRow} TopicRow */
/** @typedef {import("../model/slices.js").TopicSlice} TopicSlice */
/** @typedef {import("../model/slices.js").TopicsSlice} TopicsSlice */

/**
 * @param {Context} context
 * @returns {View}
 */
export function topicsView(context) {
  const branches = new OpenBranches(() => context.changed());
  /** The largest rate in sight, which all bars are measured by. */
  let largest = 0;
  const value = new JsonView(() => context.changed());

  /** @type {Listing<TopicRow>} */
  const listing = new Listing(context, {
    name: "topics",
    label: "Topics",
    columns: columns(context, branches, () => largest),
    keyOf: ({ path }) => path,
    cardHeight: 44,
    branch: ({ depth, kids, isOpen }) => ({ level: depth + 1, isOpen: kids > 0 ? isOpen : null }),
    open: (row) => (row.isTopic ? listing.select(row.path) : branches.turn(row)),
    onKey: (row, key) => walk(row, key),
  });

  /**
   * Right opens a branch, or leads into it; left closes it, or leads out.
   *
   * @param {TopicRow} row
   * @param {string} key
   */
  function walk(row, key) {
    if (key === "ArrowRight" && row.kids > 0) {
      if (row.isOpen) listing.rows.walkTo(({ path }) => parentOf(path) === row.path);
      else branches.turn(row);
    } else if (key === "ArrowLeft") {
      if (row.kids > 0 && row.isOpen) branches.turn(row);
      else listing.rows.walkTo(({ path }) => path === parentOf(row.path));
    }
    return key === "ArrowRight" || key === "ArrowLeft";
  }

  return {
    name: "topics",
    title: "Topics",
    icon: ICONS.topics,
    wants: () => {
      const { filter, offset, limit } = listing.query();
      return { topics: { open: branches.paths, filter, offset, limit }, topic: { path: listing.selected } };
    },
    opened: (params) => listing.opened(params),
    closed: () => listing.closed(),
    draw: (slices) => {
      const slice = /** @type {TopicsSlice | undefined} */ (slices.topics);
      if (slice && slice.topics === 0) return silence();
      largest = Math.max(0, ...(slice?.rows ?? []).map(({ rate }) => rate));
      return html`<div class="fills">
        <div class="view-head"><h1>Topics</h1>
          ${listing.bar("Part of a topic, or a pattern: task.*.progress", slice?.topics)}</div>
        ${listing.draw(slice, "topic", topicDetail(slices.topic, context, value))}
      </div>`;
    },
  };
}

function silence() {
  return html`<div class="fills"><div class="view-head"><h1>Topics</h1></div>${empty({
    icon: ICONS.topics,
    title: "No topic yet",
    text: "A topic appears here with the first event that is published on it, and its branches with it.",
    command: `swarmwire pub greeting.hello '{"to": "everybody"}'`,
  })}</div>`;
}

/**
 * @param {Context} context
 * @param {OpenBranches} branches
 * @param {() => number} largest
 * @returns {import("../parts/rows.js").Column<TopicRow>[]}
 */
function columns({ format }, branches, largest) {
  return [
    { name: "topic", title: "Topic", cell: (row) => nameCell(row, branches, format) },
    { name: "rate", title: "Rate", cell: ({ rate }) => html`${sizeBar(rate, largest())}<span
      class="reading ${rate > 0 ? "" : "faint"}">${format.rate(rate)}</span>` },
    { name: "count", title: "Events", cell: ({ count }) => format.compact(count) },
    { name: "last", title: "Last", cell: ({ tsMs }) => (tsMs === null ? "" : format.ago(tsMs)) },
    { name: "preview", title: "Last value", cell: ({ preview }) => html`<span class="mono">${preview}</span>` },
  ];
}

/**
 * @param {TopicRow} row
 * @param {OpenBranches} branches
 * @param {Context["format"]} format
 */
function nameCell(row, branches, format) {
  const { name, path, depth, kids, isOpen, isTopic } = row;
  const onClick = (/** @type {Event} */ event) => {
    event.stopPropagation();
    branches.turn(row);
  };
  return html`<span class="branch" .style=${`--depth: ${Math.min(depth, 12)}`}>
    <span class="branch-turn" data-open=${isOpen}
      @click=${kids > 0 ? onClick : nothing}>${kids > 0 ? ICONS.right : nothing}</span>
    <span class="branch-name ${isTopic ? "is-topic" : ""}" title=${path}>${name}</span>
    ${kids > 0 ? html`<span class="branch-kids faint">${format.count(kids)}</span>` : nothing}
  </span>`;
}

/**
 * @param {TopicSlice | undefined} slice
 * @param {Context} context
 * @param {JsonView} value
 * @returns {import("../parts/listing.js").Detail | null}
 */
function topicDetail(slice, { format, go }, value) {
  if (!slice?.topic) return null;
  const { topic, seq, tsMs, from, headers, json, isCut, bytes, rate, count } = slice;
  const body = html`
    <div class="panel-actions"><button type="button" class="button small"
      @click=${() => go("tail", { pattern: topic })}>${ICONS.tail}Read along</button></div>
    ${facts([
      ["Published", html`${format.time(tsMs, { millis: true })}
        <span class="faint">(${format.ago(tsMs)})</span>`],
      ["By", from],
      ["Number", seq === null ? "none: it was ephemeral" : format.count(seq)],
      ["Size", bytes === null ? null : format.bytes(bytes)],
      ["Rate", format.rate(rate)],
      ["Events", format.count(count)],
      ...Object.entries(headers ?? {}).map(([name, value]) => /** @type {const} */ ([name, value])),
    ])}
    ${section("Last value", json === null
      ? html`<p class="faint">Nothing was published on just this topic.</p>`
      : value.template(json, topic))}
    ${isCut ? html`<p class="faint">Only its beginning is shown.</p>` : nothing}`;
  return { title: topic, body };
}
