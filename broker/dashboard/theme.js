// Dark, light, or as the system has it. The choice is kept for the next visit.

const KEPT_AS = "swarmwire.theme";

/** @typedef {"auto" | "dark" | "light"} Choice */

/** @type {Choice[]} */
const CHOICES = ["auto", "dark", "light"];

/** The colours that the page is shown in. */
export class Theme {
  #root;
  #storage;
  #system = matchMedia("(prefers-color-scheme: dark)");
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Choice} */
  #choice = "auto";

  /**
   * @param {HTMLElement} root the element that carries `data-theme`
   * @param {Pick<Storage, "getItem" | "setItem">} storage
   */
  constructor(root, storage) {
    this.#root = root;
    this.#storage = storage;
    this.#system.addEventListener("change", () => this.#tell());
    this.#show(CHOICES.find((choice) => choice === storage.getItem(KEPT_AS)) ?? "auto");
  }

  /** What was chosen. */
  get choice() {
    return this.#choice;
  }

  /** Goes on to the next choice: as the system, dark, light. */
  turn() {
    const next = CHOICES[(CHOICES.indexOf(this.#choice) + 1) % CHOICES.length] ?? "auto";
    this.#storage.setItem(KEPT_AS, next);
    this.#show(next);
    this.#tell();
  }

  /**
   * Calls `listener` after each change of the colours.
   *
   * @param {() => void} listener
   * @returns {() => void} ends it
   */
  on(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {Choice} choice */
  #show(choice) {
    this.#choice = choice;
    if (choice === "auto") delete this.#root.dataset.theme;
    else this.#root.dataset.theme = choice;
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
