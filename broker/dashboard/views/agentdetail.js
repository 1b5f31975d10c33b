// All that is known of one agent.

import { cpuText, memoryText } from "../parts/agentfigures.js";
import { Chart } from "../parts/chart.js";
import { facts } from "../parts/facts.js";
import { JsonView } from "../parts/json.js";
import { section } from "../parts/panel.js";
import { pill } from "../parts/pill.js";
import { strip } from "../parts/strip.js";
import { timeline } from "../parts/timeline.js";
import { html, nothing } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../model/slices.js").AgentDetail} AgentDetail */
/** @typedef {import("../model/slices.js").AgentRow} AgentRow */

const CHART_HEIGHT = 110;

/** Changes of status that are listed; the strip shows all of them. */
const MOST_CHANGES = 8;

/** The panel of the selected agent, with its charts. */
export class AgentDetailPanel {
  #format;
  #cpu;
  #memory;
  #metadata;

  /** @param {Context} context */
  constructor({ format, theme, changed }) {
    this.#format = format;
    this.#cpu = new Chart({
      label: "Processor over time, in percent",
      lines: [{ label: "CPU", colour: "--series-1", isFilled: true }],
      format: (value) => cpuText(value ?? null),
      height: CHART_HEIGHT,
      least: 10,
      together: "agent",
    }, theme);
    this.#memory = new Chart({
      label: "Memory over time",
      lines: [{ label: "Memory", colour: "--series-2", isFilled: true }],
      format: (value) => memoryText(value ?? null, format),
      height: CHART_HEIGHT,
      together: "agent",
    }, theme);
    this.#metadata = new JsonView(changed);
  }

  /**
   * @param {AgentDetail} agent
   * @returns {import("../parts/listing.js").Detail}
   */
  draw(agent) {
    const { id, row, metrics, metadata } = agent;
    const body = html`
      ${facts(this.#factsOf(row))}
      ${section("Status", this.#statuses(agent))}
      ${section("Health", this.#health(agent))}
      ${metrics === null ? nothing : section("Metrics", facts(this.#figures(metrics)))}
      ${this.#log(agent)}
      ${metadata === null ? nothing : section("Metadata", this.#metadata.template(metadata, id))}`;
    return { title: id, state: pill(row.status), body };
  }

  /** @param {AgentRow} row @returns {[string, unknown][]} */
  #factsOf({ message, healthy, being, capabilities, sinceMs, tsMs }) {
    const { ago, dateTime } = this.#format;
    return [
      ["Message", message],
      ["Since", sinceMs && html`${dateTime(sinceMs)} <span class="faint">(${ago(sinceMs)})</span>`],
      ["Heard of", ago(tsMs)],
      ["Health", healthy === null ? null : pill(healthy ? "healthy" : "unhealthy")],
      ["Registry", being === null ? "not registered" : pill(being)],
      ["Can", capabilities.length > 0 ? chips(capabilities) : null],
    ];
  }

  /** @param {AgentDetail} agent */
  #statuses({ id, statuses }) {
    if (statuses.length === 0) {
      return html`<p class="faint">It has told no status since this page was opened.</p>`;
    }
    const told = statuses.map(({ tsMs, status, message }) => ({ tsMs, event: status, text: message }));
    return html`${strip(statuses, `Status of ${id}`)}
      ${timeline(told.slice(-MOST_CHANGES), `Changes of status of ${id}`)}`;
  }

  /** @param {AgentDetail} agent */
  #health({ id, health: { t, cpu, memory, healthy } }) {
    if (t.length === 0) {
      return html`<p class="faint">It has told nothing on <code>agent.&lt;id&gt;.health</code>.</p>`;
    }
    if (t.length === 1) {
      return facts([["CPU", cpuText(cpu[0])], ["Memory", memoryText(memory[0], this.#format)]]);
    }
    this.#cpu.set(t, cpu);
    this.#memory.set(t, memory);
    const words = healthy.map((isHealthy) => (isHealthy ? "healthy" : "unhealthy"));
    const changes = t.map((seconds, at) => ({ tsMs: 1000 * seconds, status: words[at] }));
    return html`${this.#cpu.template()}
      ${memory.some((value) => value !== null) ? this.#memory.template() : nothing}
      ${healthy.every(Boolean) ? nothing : strip(changes, `Health of ${id}`)}`;
  }

  /** @param {Record<string, number>} metrics @returns {[string, string][]} */
  #figures(metrics) {
    return Object.entries(metrics).map(([name, value]) => [spaced(name), this.#format.compact(value)]);
  }

  /** @param {AgentDetail} agent */
  #log({ id, log }) {
    if (log.length === 0) return nothing;
    const told = log.map(({ tsMs, level, message }) => ({ tsMs, event: level, text: message }));
    return section("Log", timeline(told, `Log of ${id}`));
  }
}

/** @param {string[]} words */
function chips(words) {
  return html`<span class="chips">${words.map((word) => html`<span class="chip">${word}</span>`)}</span>`;
}

/** `responseTime` as one reads it: `response time`. @param {string} name */
function spaced(name) {
  return name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}
