// Queues of tasks and who works on them, in one line a queue.

import { pill } from "../parts/pill.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").QueueRow} QueueRow */
/** @typedef {import("../model/slices.js").TasksSlice} TasksSlice */

/** More are counted only. */
const MOST = 12;

/**
 * @param {TasksSlice | undefined} slice
 * @param {Context} context
 */
export function queuesSummary(slice, context) {
  if (slice?.denied) {
    return html`<p class="queues-denied faint">Queues and workers are not shown: ${slice.denied}</p>`;
  }
  if (!slice?.queues || slice.queues.length === 0) return nothing;
  const { queues, workers } = slice;
  const rest = queues.length - MOST;
  return html`<div class="queues" role="region" aria-label="Queues and workers" tabindex="0">
    ${workers ? workersCard(workers, context) : nothing}
    ${queues.slice(0, MOST).map((queue) => queueCard(queue, context))}
    ${rest > 0 ? html`<span class="queues-rest faint">+${rest} more</span>` : nothing}
  </div>`;
}

/**
 * @param {QueueRow} queue
 * @param {Context} context
 */
function queueCard({ name, status, pending, running, dead }, { format }) {
  return html`<div class="queue">
    <div class="queue-name"><span class="cut" title=${name}>${name}</span>
      ${status === "open" ? nothing : pill(status)}</div>
    <div class="queue-figures faint"><span><b>${format.count(pending)}</b> pending</span>
      <span><b>${format.count(running)}</b> running</span>
      ${dead > 0 ? html`<span class="is-bad"><b>${format.count(dead)}</b> dead</span>` : nothing}</div>
  </div>`;
}

/**
 * @param {import("../model/slices.js").Workers} workers
 * @param {Context} context
 */
function workersCard({ total, active, idle, suspect }, { format }) {
  return html`<div class="queue">
    <div class="queue-name"><span>${format.plural(total, "worker")}</span>
      ${suspect > 0 ? pill("suspect", `${suspect} suspect`) : nothing}</div>
    <div class="queue-figures faint"><span><b>${format.count(active)}</b> active</span>
      <span><b>${format.count(idle)}</b> idle</span></div>
  </div>`;
}
