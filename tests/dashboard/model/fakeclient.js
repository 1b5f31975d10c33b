// @ts-check
/** A client of the SDK without a broker: tests say what comes. */

/** Items that tests push, as a Subscription hands them out. */
export class FakeReading {
  /** @type {string|null} */
  cursor = null;
  closed = false;
  /** @type {any[]} */
  #items = [];
  /** @type {unknown} */
  #error = null;
  #wake = () => {};

  /** @param {string} pattern @param {any} options */
  constructor(pattern, options) {
    this.pattern = pattern;
    this.options = options;
  }

  /** @param {any[]} items */
  push(...items) {
    this.#items.push(...items);
    this.#wake();
  }

  close() {
    this.closed = true;
    this.#wake();
  }

  /** @param {unknown} error */
  fail(error) {
    this.#error = error;
    this.close();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#items.length > 0 && !this.closed) {
        const item = this.#items.shift();
        if (typeof item.seq === "number") this.cursor = `e1:${item.seq}`;
        yield item;
      }
      if (this.#error !== null) throw this.#error;
      if (this.closed) return;
      await new Promise((resolve) => (this.#wake = () => resolve(null)));
    }
  }
}

export class FakeClient {
  /** @type {FakeReading[]} */
  readings = [];
  /** @type {[string, any][]} */
  calls = [];
  /** @type {Record<string, (params: any) => unknown>} */
  answers = {};
  /** @type {any} */
  identity = { subject: "ops", permissions: { publish: ["#"], subscribe: ["#"], call: ["#"], admin: true } };
  server = { id: "s", name: "swarmwire", version: "0", pid: 1, ppid: 0 };
  durability = "accepted";
  transport = "websocket";
  id = "c1";
  /** @type {string|null} */
  head = "e1:1000000";
  left = false;
  /** @type {Map<string, ((detail: any) => void)[]>} */
  #listeners = new Map();

  /** @param {string} url @param {any} options */
  constructor(url, options) {
    this.url = url;
    this.options = options;
  }

  async start() {
    return this;
  }

  async disconnect() {
    this.left = true;
  }

  async ping() {
    return 1.5;
  }

  /** @param {string} name @param {(detail: any) => void} listener */
  listen(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    return () => {};
  }

  /** @param {string} name @param {any} [detail] */
  emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) listener(detail);
  }

  /** @param {string} pattern @param {any} options */
  subscribe(pattern, options) {
    const reading = new FakeReading(pattern, options);
    this.readings.push(reading);
    return reading;
  }

  /** The last subscription of a pattern. @param {string} pattern @returns {FakeReading} */
  reading(pattern) {
    const found = this.readings.filter((reading) => reading.pattern === pattern).at(-1);
    if (found === undefined) throw new Error(`Nobody subscribed to ${pattern}.`);
    return found;
  }

  /** @param {string} method @param {any} params */
  async call(method, params) {
    this.calls.push([method, params]);
    const answer = this.answers[method];
    if (answer === undefined) throw Object.assign(new Error(`Nobody handles ${method}.`), { code: "METHOD_NOT_FOUND" });
    return answer(params);
  }

  /** @param {string} topic @param {unknown} data @returns {Promise<unknown>} */
  async publish(topic, data) {
    this.calls.push([topic, data]);
    return { seq: 1, duplicate: false };
  }
}
