/** What a connection says to its hooks, to be waited for. */
export class Hearing {
  /** @type {string[]} */
  messages = [];
  /** @type {{ code: number, reason: string, clean: boolean }[]} */
  closes = [];
  /** @type {(() => void)[]} */
  #waiting = [];

  hooks = {
    onMessage: (/** @type {string} */ text) => {
      this.messages.push(text);
      this.#wake();
    },
    onClose: (/** @type {{ code: number, reason: string, clean: boolean }} */ closed) => {
      this.closes.push(closed);
      this.#wake();
    },
  };

  /** Resolves with the messages once there are so many. @param {number} count */
  async heard(count) {
    while (this.messages.length < count) await this.#news();
    return this.messages;
  }

  /** Resolves with the end of the connection. */
  async closed() {
    while (this.closes.length === 0) await this.#news();
    return this.closes[0];
  }

  #news() {
    return new Promise((resolve) => this.#waiting.push(() => resolve(null)));
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
