/** A wait that can be cut short. One at a time. */
export class Pause {
  #clock;
  #end = () => {};

  /** @param {import("./clock.js").Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * @param {number} ms Infinity: until it is cut
   * @returns {Promise<void>}
   */
  wait(ms) {
    return new Promise((resolve) => {
      const stop = this.#clock.after(ms, resolve);
      this.#end = () => {
        stop();
        resolve();
      };
    });
  }

  /** End the wait that is under way, if there is one. */
  cut() {
    this.#end();
  }
}
