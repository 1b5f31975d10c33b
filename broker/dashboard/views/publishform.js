// The form that publishes one event.

import { checkTopic } from "../../sdk/protocol/topics.js";
import { headersOf } from "../parts/headers.js";
import { JsonField } from "../parts/jsonfield.js";
import { failureOf, outcomeTemplate } from "../parts/outcome.js";
import { html, live } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {"kept" | "ephemeral" | "clear"} Kind an event is one of them at most */

/** Publishes with what is typed; nothing is sent while anything of it is wrong. */
export class PublishForm {
  #context;
  #data;
  #topic = "";
  #headers = "";
  #key = "";
  /** @type {Kind} */
  #kind = "kept";
  /** @type {import("../parts/outcome.js").Outcome} */
  #outcome = { is: "idle" };

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#data = new JsonField({
      id: "publish-data",
      label: "Data",
      text: "{}",
      changed: () => this.#edited(),
    });
  }

  /** @param {URLSearchParams} params `topic` */
  opened(params) {
    this.#topic = params.get("topic") ?? this.#topic;
  }

  template() {
    return html`
      <form class="card form" @submit=${this.#onSubmit}>
        <div class="card-head"><h2>Publish an event</h2></div>
        <div class="card-body">
          ${this.#topicField()} ${this.#data.template()} ${this.#more()}
          <div class="form-actions">
            <button class="button primary" ?disabled=${this.#outcome.is === "waiting"}>Publish</button>
          </div>
          ${outcomeTemplate(this.#outcome)}
        </div>
      </form>
    `;
  }

  #topicField() {
    const fault = this.#topic === "" ? "" : topicFault(this.#topic);
    return html`
      <div class="field">
        <label for="publish-topic">Topic</label>
        <input
          class="input mono"
          id="publish-topic"
          type="text"
          required
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          placeholder="agent.a1.status"
          .value=${live(this.#topic)}
          @input=${this.#takes((text) => (this.#topic = text))}
          aria-invalid=${fault !== ""}
          aria-describedby="publish-topic-fault"
        />
        <p class="error" id="publish-topic-fault" ?hidden=${fault === ""}>${fault}</p>
      </div>
    `;
  }

  #more() {
    const fault = headersOf(this.#headers).fault;
    return html`
      <div class="field">
        <label for="publish-headers">
          Headers
          <span class="faint">optional</span>
        </label>
        <textarea
          class="input mono"
          id="publish-headers"
          rows="2"
          spellcheck="false"
          autocapitalize="none"
          placeholder="trace: 4bf92f35"
          .value=${live(this.#headers)}
          @input=${this.#takes((text) => (this.#headers = text))}
          aria-invalid=${fault !== ""}
          aria-describedby="publish-headers-help"
        ></textarea>
        <p class=${fault === "" ? "help" : "error"} id="publish-headers-help">
          ${fault === "" ? "One a line: a name, a colon, a value." : fault}
        </p>
      </div>
      <div class="field">
        <label for="publish-key">
          Key
          <span class="faint">optional</span>
        </label>
        <input
          class="input mono"
          id="publish-key"
          type="text"
          autocomplete="off"
          spellcheck="false"
          ?disabled=${this.#kind === "ephemeral"}
          .value=${live(this.#key)}
          @input=${this.#takes((text) => (this.#key = text))}
          aria-describedby="publish-key-help"
        />
        <p class="help" id="publish-key-help">
          The same key on the same topic again is acknowledged and not published twice.
        </p>
      </div>
      <div class="form-checks">
        ${this.#check("Ephemeral", "not kept in the log", "ephemeral")}
        ${this.#check("Clear", "takes the topic out of latest", "clear")}
      </div>
    `;
  }

  /**
   * @param {string} name
   * @param {string} meaning
   * @param {Kind} kind
   */
  #check(name, meaning, kind) {
    const isOn = this.#kind === kind;
    const isOff = !isOn && this.#kind !== "kept";
    const change = (/** @type {Event} */ event) => {
      this.#kind = /** @type {HTMLInputElement} */ (event.target).checked ? kind : "kept";
      this.#edited();
    };
    return html`<label class="check">
      <input type="checkbox" .checked=${live(isOn)} ?disabled=${isOff} @change=${change}>
      <span>${name} <span class="faint">${meaning}</span></span>
    </label>`;
  }

  /** @param {(text: string) => void} take */
  #takes(take) {
    return (/** @type {InputEvent} */ event) => {
      take(/** @type {HTMLInputElement | HTMLTextAreaElement} */ (event.target).value);
      this.#edited();
    };
  }

  /** What is shown of the last one is no longer about what stands here. */
  #edited() {
    if (this.#outcome.is !== "waiting") this.#outcome = { is: "idle" };
    this.#context.changed();
  }

  /** @param {SubmitEvent} event */
  #onSubmit = (event) => {
    event.preventDefault();
    void this.#publish();
  };

  async #publish() {
    const { value, fault } = this.#data.checked;
    const headers = headersOf(this.#headers);
    if (topicFault(this.#topic) !== "") return document.getElementById("publish-topic")?.focus();
    if (fault !== null) return this.#data.focus();
    if (headers.fault !== "") return document.getElementById("publish-headers")?.focus();
    this.#show({ is: "waiting", text: "Waiting for the acknowledgement …" });
    try {
      this.#show({
        is: "done",
        title: this.#done(
          await this.#context.feed.publish(this.#topic, value, this.#options(headers.headers)),
        ),
      });
    } catch (error) {
      this.#show({ is: "failed", failure: failureOf(error) });
    }
    return undefined;
  }

  /** @param {Record<string, string>} headers */
  #options(headers) {
    return {
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      ...(this.#key !== "" && this.#kind !== "ephemeral" ? { key: this.#key } : {}),
      ...(this.#kind === "kept" ? {} : { [this.#kind]: true }),
    };
  }

  /** @param {unknown} ack */
  #done(ack) {
    const { seq, duplicate } = /** @type {{seq?: number, duplicate?: boolean}} */ (ack ?? {});
    if (seq === undefined) return "Published to who listens just now";
    return duplicate ? `Published before, as event ${seq}` : `Published as event ${seq}`;
  }

  /** @param {import("../parts/outcome.js").Outcome} outcome */
  #show(outcome) {
    this.#outcome = outcome;
    this.#context.changed();
  }
}

/** @param {string} topic */
function topicFault(topic) {
  try {
    checkTopic(topic);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
