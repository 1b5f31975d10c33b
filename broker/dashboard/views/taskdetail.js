// All that is known of one task.

import { progressBar } from "../parts/bar.js";
import { facts } from "../parts/facts.js";
import { JsonView } from "../parts/json.js";
import { section } from "../parts/panel.js";
import { pill, toneOf } from "../parts/pill.js";
import { timeline } from "../parts/timeline.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").TaskDetail} TaskDetail */

/** The panel of the selected task. */
export class TaskDetailPanel {
  #context;
  #result;
  #metadata;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#result = new JsonView(context.changed);
    this.#metadata = new JsonView(context.changed);
  }

  /**
   * @param {TaskDetail} task
   * @returns {import("../parts/listing.js").Detail}
   */
  draw(task) {
    const { id, row, timeline: happenings, result, metadata } = task;
    const body = html`
      ${row.progress === null ? nothing : progressBar(row.progress, `Progress of ${id}`, toneOf(row.state))}
      ${row.error
        ? html`<div class="notice bad"><strong>Error</strong><span class="mono">${row.error}</span></div>`
        : nothing}
      ${facts(this.#factsOf(task))}
      ${section("Timeline", happenings.length > 0
        ? timeline(happenings, `What happened to ${id}`)
        : html`<p class="faint">Nothing has happened to it since this page was opened.</p>`)}
      ${result === null ? nothing : section("Result", this.#result.template(result, id))}
      ${metadata === null ? nothing : section("Metadata", this.#metadata.template(metadata, id))}`;
    return { title: id, state: pill(row.state), body };
  }

  /** @param {TaskDetail} task @returns {[string, unknown][]} */
  #factsOf({ row, priority, durationMs, reason, dead, retriedFrom }) {
    const { dateTime, duration } = this.#context.format;
    return [
      ["Type", row.type],
      ["Agent", row.agentId && this.#link("agents", row.agentId)],
      ["Queue", row.queue],
      ["Priority", priority],
      ["Attempt", row.attempt === null ? null : `${row.attempt}${dead ? ", the last" : ""}`],
      ["Created", row.createdMs && dateTime(row.createdMs)],
      ["Started", row.startedMs && dateTime(row.startedMs)],
      ["Ended", row.endedMs && dateTime(row.endedMs)],
      ["Took", durationMs === null ? null : duration(durationMs)],
      ["Reason", reason],
      ["Retry of", retriedFrom && this.#link("tasks", retriedFrom)],
      ["Message", row.message],
    ];
  }

  /**
   * @param {string} view
   * @param {string} id
   */
  #link(view, id) {
    const open = () => this.#context.go(view, { selected: id });
    return html`<button type="button" class="link" @click=${open}>${id}</button>`;
  }
}
