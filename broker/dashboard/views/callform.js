// The form that calls a method, and shows its answer.

import { JsonField } from "../parts/jsonfield.js";
import { JsonView } from "../parts/json.js";
import { failureOf, outcomeTemplate } from "../parts/outcome.js";
import { html, live } from "../template.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {{method: string, builtin: boolean, handlers: number}} Method */

const DEFAULT_SECONDS = "30";

/** Calls what is typed; nothing is sent while anything of it is wrong. */
export class CallForm {
  #context;
  #params;
  #json;
  #method = "";
  #seconds = DEFAULT_SECONDS;
  /** @type {Method[] | null} null: not asked for yet */
  #methods = null;
  #calls = 0;
  /** @type {import("../parts/outcome.js").Outcome} */
  #outcome = { is: "idle" };

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#json = new JsonView(() => context.changed());
    this.#params = new JsonField({
      id: "call-params",
      label: "Parameters",
      text: "{}",
      changed: () => context.changed(),
    });
  }

  /** Asks once what can be called. */
  suggest() {
    if (this.#methods !== null) return;
    this.#methods = [];
    void this.#ask();
  }

  /** What can be called is asked anew the next time. */
  forget() {
    this.#methods = null;
  }

  template() {
    return html`
      <form class="card form" @submit=${this.#onSubmit}>
        <div class="card-head"><h2>Call a method</h2></div>
        <div class="card-body">
          ${this.#methodField()} ${this.#params.template()} ${this.#timeoutField()}
          <div class="form-actions">
            <button class="button primary" ?disabled=${this.#outcome.is === "waiting"}>Call</button>
          </div>
          ${outcomeTemplate(this.#outcome)}
        </div>
      </form>
    `;
  }

  #methodField() {
    const { format } = this.#context;
    const known = this.#methods?.find(({ method }) => method === this.#method);
    return html`
      <div class="field">
        <label for="call-method">Method</label>
        <input
          class="input mono"
          id="call-method"
          type="text"
          list="call-methods"
          required
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          placeholder="rpc.list"
          .value=${live(this.#method)}
          @input=${this.#onMethod}
          aria-describedby="call-method-help"
        />
        <datalist id="call-methods">
          ${(this.#methods ?? []).map(
            ({ method }) => html`
              <option value=${method}></option>
            `,
          )}
        </datalist>
        <p class="help" id="call-method-help">
          ${known === undefined ? "Names that can be called are suggested." : who(known, format)}
        </p>
      </div>
    `;
  }

  #timeoutField() {
    return html`
      <div class="field form-short">
        <label for="call-timeout">
          Timeout
          <span class="faint">seconds</span>
        </label>
        <input
          class="input"
          id="call-timeout"
          type="number"
          min="0"
          max="86400"
          step="any"
          required
          .value=${live(this.#seconds)}
          @input=${(/** @type {InputEvent} */ event) => (this.#seconds = valueOf(event))}
        />
      </div>
    `;
  }

  /** @param {InputEvent} event */
  #onMethod = (event) => {
    this.#method = valueOf(event);
    this.#context.changed();
  };

  /** @param {SubmitEvent} event */
  #onSubmit = (event) => {
    event.preventDefault();
    const { value, fault } = this.#params.checked;
    if (fault === null) void this.#call(value);
    else this.#params.focus();
  };

  /** @param {unknown} params */
  async #call(params) {
    const { feed, format } = this.#context;
    const method = this.#method.trim();
    const began = performance.now();
    this.#show({ is: "waiting", text: `Waiting for the answer of ${method} …` });
    try {
      const answer = await feed.call(method, params, { timeoutMs: Number(this.#seconds) * 1000 });
      this.#calls += 1;
      this.#answer(
        `Answered in ${format.latency(performance.now() - began)}`,
        JSON.stringify(answer),
        `${this.#calls}`,
      );
    } catch (error) {
      this.#show({ is: "failed", failure: failureOf(error) });
    }
  }

  /**
   * @param {string} title
   * @param {string} text
   * @param {string} of
   */
  #answer(title, text, of) {
    this.#show({
      is: "done",
      title,
      body: () => html`
        <div class="outcome-answer">${this.#json.template(text, of)}</div>
      `,
    });
  }

  async #ask() {
    try {
      const { methods } = /** @type {{methods: Method[]}} */ (await this.#context.feed.call("rpc.list", {}));
      this.#methods = methods.filter(({ method }) => !method.startsWith("rpc.register"));
    } catch {
      // Without suggestions the form does what it is for.
      this.#methods = [];
    }
    this.#context.changed();
  }

  /** @param {import("../parts/outcome.js").Outcome} outcome */
  #show(outcome) {
    this.#outcome = outcome;
    this.#context.changed();
  }
}

/**
 * @param {Method} method
 * @param {Context["format"]} format
 */
function who({ builtin, handlers }, format) {
  return builtin
    ? "The broker answers it itself."
    : `${format.plural(handlers, "client")} handle${handlers === 1 ? "s" : ""} it.`;
}

/** @param {InputEvent} event */
function valueOf(event) {
  return /** @type {HTMLInputElement} */ (event.target).value;
}
