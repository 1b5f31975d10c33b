// Every task: by state, how far it is; the queues they wait in; of one what happened to it.

import { progressBar } from "../parts/bar.js";
import { empty } from "../parts/empty.js";
import { ICONS } from "../parts/icons.js";
import { Listing } from "../parts/listing.js";
import { pill, toneOf } from "../parts/pill.js";
import { stateTiles } from "../parts/tiles.js";
import { html, nothing } from "../template.js";
import { queuesSummary } from "./queues.js";
import { TaskDetailPanel } from "./taskdetail.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").View} View */
/** @typedef {import("../model/slices.js").TaskRow} TaskRow */
/** @typedef {import("../model/slices.js").TasksSlice} TasksSlice */

const STATES = ["pending", "in-progress", "completed", "failed", "cancelled", "closed"];

/**
 * @param {Context} context
 * @returns {View}
 */
export function tasksView(context) {
  const options = { name: "tasks", label: "Tasks", columns: columns(context), keyOf, sort: "-created" };
  const listing = new Listing(context, options);
  const detail = new TaskDetailPanel(context);

  return {
    name: "tasks",
    title: "Tasks",
    icon: ICONS.tasks,
    wants: () => ({ tasks: { ...listing.query(), state: listing.chosen, selected: listing.selected } }),
    opened: (params) => listing.opened(params),
    closed: () => listing.closed(),
    draw: (slices) => {
      const slice = /** @type {TasksSlice | undefined} */ (slices.tasks);
      if (slice && isEmpty(slice)) return nothingToDo(context, slice);
      return html`<div class="fills">
        <div class="view-head"><h1>Tasks</h1>
          ${listing.bar("Part of an id, a type or an agent", slice?.total)}</div>
        ${stateTiles({
          label: "Tasks by state",
          states: STATES,
          counts: slice?.byState ?? {},
          chosen: listing.chosen,
          choose: (state) => listing.choose(state),
        })}
        ${queuesSummary(slice, context)}
        ${listing.draw(slice, "task", slice?.detail ? detail.draw(slice.detail) : null)}
      </div>`;
    },
  };
}

/** @param {TaskRow} task */
function keyOf({ id }) {
  return id;
}

/** @param {TasksSlice} slice */
function isEmpty({ byState }) {
  return Object.values(byState).every((count) => count === 0);
}

/**
 * @param {Context} context
 * @param {TasksSlice} slice
 */
function nothingToDo(context, slice) {
  return html`<div class="fills"><div class="view-head"><h1>Tasks</h1></div>
    ${queuesSummary(slice, context)}${empty({
    icon: ICONS.tasks,
    title: "No task yet",
    text: html`Tasks appear here when they are submitted, or when somebody tells of one on
      <code>task.&lt;id&gt;.created</code>.`,
    command: `swarmwire call task.submit '{"type": "compile", "payload": {"file": "main.c"}}'`,
  })}</div>`;
}

/**
 * @param {Context} context
 * @returns {import("../parts/rows.js").Column<TaskRow>[]}
 */
function columns({ format }) {
  return [
    { name: "state", title: "State", sorts: true, cell: ({ state }) => pill(state) },
    { name: "id", title: "Task", sorts: true, cell: ({ id }) => html`<span class="name"
      title=${id}>${id}</span>` },
    { name: "type", title: "Type", sorts: true, cell: ({ type }) => type ?? "" },
    { name: "progress", title: "Progress", sorts: true, falls: true, cell: progressCell },
    { name: "message", title: "Message", cell: messageCell },
    { name: "agent", title: "Agent", sorts: true, cell: ({ agentId }) => html`<span
      title=${agentId ?? nothing}>${agentId}</span>` },
    { name: "queue", title: "Queue", cell: ({ queue }) => queue ?? "" },
    { name: "created", title: "Created", sorts: true, falls: true, cell: (row) => format.ago(row.createdMs) },
  ];
}

/** @param {TaskRow} task */
function progressCell({ id, state, progress }) {
  return progress === null ? "" : progressBar(progress, `Progress of ${id}`, toneOf(state));
}

/** @param {TaskRow} task */
function messageCell({ error, message }) {
  return error ? html`<span class="is-bad" title=${error}>${error}</span>` : (message ?? "");
}
