// A box for JSON that is judged while it is typed.

import { html, live } from "../template.js";
import { checkJson } from "./jsoncheck.js";

/** One labelled box; `text` may be set, `checked` is what stands in it. */
export class JsonField {
  #id;
  #label;
  #rows;
  #changed;
  text;

  /**
   * @param {{id: string, label: string, text: string, rows?: number, changed: () => void}} options
   */
  constructor({ id, label, text, rows = 8, changed }) {
    this.#id = id;
    this.#label = label;
    this.#rows = rows;
    this.#changed = changed;
    this.text = text;
  }

  get checked() {
    return checkJson(this.text);
  }

  /** Puts the keyboard into the box. */
  focus() {
    document.getElementById(this.#id)?.focus();
  }

  template() {
    const { fault } = this.checked;
    const helpId = `${this.#id}-fault`;
    return html`
      <div class="field">
        <label for=${this.#id}>${this.#label}</label>
        <textarea
          class="input mono"
          id=${this.#id}
          rows=${this.#rows}
          spellcheck="false"
          autocapitalize="none"
          .value=${live(this.text)}
          @input=${this.#onInput}
          aria-invalid=${fault !== null}
          aria-describedby=${helpId}
        ></textarea>
        <p class=${fault === null ? "help" : "error"} id=${helpId}>
          ${
            fault === null
              ? "JSON"
              : html`
                  Line ${fault.line}, column ${fault.column}: ${fault.message}.
                `
          }
        </p>
      </div>
    `;
  }

  /** @param {InputEvent} event */
  #onInput = (event) => {
    this.text = /** @type {HTMLTextAreaElement} */ (event.target).value;
    this.#changed();
  };
}
