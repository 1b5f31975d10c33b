// @ts-check
/** A page without a browser: a Host over the SDK and a real broker, and what it was told last. */

import { clock } from "../../../broker/sdk/clock.js";
import { Client } from "../../../broker/sdk/swarmwire.js";
import { Host } from "../../../broker/dashboard/model/host.js";

/** @typedef {import("../../../broker/dashboard/model/slices.js").Slices} Slices */
/** @typedef {import("../../../broker/dashboard/model/slices.js").Queries} Queries */

const PATIENCE_MS = 60000;

export class Page {
  /** @type {Partial<Slices>} */
  #told = {};
  /** @type {Partial<Queries>} */
  #wants = { status: {} };
  /** @type {((told: any) => void)|null} */
  #watch = null;
  #host = new Host({
    post: (message) => {
      if (message.is !== "frame") return;
      Object.assign(this.#told, message.slices);
      this.#watch?.(this.#told);
    },
    makeClient: (url, options) => new Client(url, options),
    clock,
  });

  /** @param {string} url @param {string|null} [token] @param {Partial<Queries>} [wants] */
  open(url, token = null, wants = {}) {
    this.#wants = { status: {}, ...wants };
    this.#host.take({ do: "connect", url, token });
  }

  /**
   * What the page was told when that came true.
   * @param {(told: Slices) => unknown} isTrue
   * @returns {Promise<Slices>}
   */
  until(isTrue) {
    return new Promise((resolve, reject) => {
      const stop = clock.after(PATIENCE_MS, () => reject(new Error(`It stayed at ${JSON.stringify(this.#told).slice(0, 2000)}`)));
      this.#watch = (told) => {
        if (told.status && isTrue(told)) {
          this.#watch = null;
          stop();
          resolve(structuredClone(told));
        } else {
          this.#ask();
        }
      };
      this.#ask();
    });
  }

  close() {
    this.#watch = null;
    this.#host.close();
  }

  #ask() {
    setImmediate(() => this.#host.take({ do: "frame", wants: this.#wants }));
  }
}
