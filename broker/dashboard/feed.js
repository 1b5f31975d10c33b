/**
 * The page's side of the worker: what is wanted is asked once a frame at most, and what is new is handed
 * on.
 */

/** @typedef {import("./model/slices.js").Slices} Slices */
/** @typedef {import("./model/slices.js").Queries} Queries */
/** @typedef {import("./model/slices.js").SliceName} SliceName */
/** @typedef {import("./model/slices.js").Phase} Phase */
/** @typedef {import("./model/host.js").PageMessage} PageMessage */
/** @typedef {import("./model/host.js").HostMessage} HostMessage */
/** @typedef {import("./model/host.js").Refusal} Refusal */

/**
 * @typedef {object} WorkerLike
 * @property {(message: PageMessage) => void} postMessage
 * @property {(type: "message", listener: (event: {data: HostMessage}) => void) => void} addEventListener
 * @property {() => void} terminate
 */

/** What the broker, or the SDK, refused. */
export class FeedError extends Error {
  /** @param {Refusal} refusal */
  constructor({ code, message, field, details }) {
    super(message);
    this.name = "FeedError";
    this.code = code;
    this.field = field;
    this.details = details;
  }
}

export class Feed {
  #worker;
  #nextFrame;
  /** @type {Map<SliceName, unknown>} */
  #wants = new Map();
  /** @type {Map<SliceName, Set<(slice: any) => void>>} */
  #listeners = new Map();
  /** @type {Map<number, {resolve: (data: any) => void, reject: (error: FeedError) => void}>} */
  #answers = new Map();
  #ids = 0;
  #asked = false;
  #scheduled = false;
  /** Whether something else is wanted since the worker was asked. */
  #changed = false;
  /** @type {Phase} */
  #phase = "connecting";

  /**
   * @param {WorkerLike} [worker]
   * @param {(fn: () => void) => void} [nextFrame]  by default the browser's, which draws no frames of a
   *   hidden tab
   */
  constructor(worker, nextFrame = (fn) => void requestAnimationFrame(fn)) {
    this.#worker = worker ?? newWorker();
    this.#nextFrame = nextFrame;
    this.#worker.addEventListener("message", ({ data }) => this.#take(data));
    this.want("status", {});
  }

  /** Where the page stands, as it was last told. */
  get phase() {
    return this.#phase;
  }

  /**
   * Connects; what becomes of it is told by the slice `status`.
   * @param {{url?: string, token?: string|null}} [login]  by default to the broker that served the page,
   *   as nobody
   */
  connect({ url = pageBroker(), token = null } = {}) {
    this.#phase = "connecting";
    this.#worker.postMessage({ do: "connect", url, token });
  }

  logout() {
    this.#worker.postMessage({ do: "logout" });
  }

  /**
   * Asks for a slice from now on, or with null no more.
   * @template {SliceName} N
   * @param {N} name
   * @param {Queries[N]|null} query
   */
  want(name, query) {
    if (query === null) this.#wants.delete(name);
    else this.#wants.set(name, query);
    this.#changed = true;
    this.#schedule();
  }

  /**
   * Calls a function with each new slice of that name; returns what ends that.
   * @template {SliceName} N
   * @param {N} name
   * @param {(slice: Slices[N]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set.add(listener));
    return () => void set.delete(listener);
  }

  /**
   * @param {string} method
   * @param {unknown} [params]
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<unknown>}
   * @throws {FeedError}
   */
  call(method, params, options) {
    return this.#ask((id) => ({ do: "call", id, method, params, options }));
  }

  /**
   * @param {string} topic
   * @param {unknown} data
   * @param {import("../sdk/publisher.js").PublishOptions} [options]
   * @returns {Promise<unknown>}
   * @throws {FeedError}
   */
  publish(topic, data, options) {
    return this.#ask((id) => ({ do: "publish", id, topic, data, options }));
  }

  /** Ends the worker. Harmless twice. */
  close() {
    this.#wants.clear();
    this.#worker.terminate();
  }

  /** @param {(id: number) => PageMessage} message @returns {Promise<unknown>} */
  #ask(message) {
    this.#ids += 1;
    const id = this.#ids;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      this.#worker.postMessage(message(id));
    });
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#nextFrame(() => {
      this.#scheduled = false;
      if (this.#asked && !this.#changed) return;
      this.#asked = true;
      this.#changed = false;
      this.#worker.postMessage({ do: "frame", wants: Object.fromEntries(this.#wants) });
    });
  }

  /** @param {HostMessage} message */
  #take(message) {
    if (message.is === "answer") this.#settle(message);
    else this.#show(message.slices);
  }

  /** @param {{id: number, data?: unknown, error?: Refusal}} answer */
  #settle({ id, data, error }) {
    const waiting = this.#answers.get(id);
    this.#answers.delete(id);
    if (error === undefined) waiting?.resolve(data);
    else waiting?.reject(new FeedError(error));
  }

  /** @param {Partial<Slices>} slices */
  #show(slices) {
    this.#asked = false;
    this.#phase = slices.status?.phase ?? this.#phase;
    for (const name of /** @type {SliceName[]} */ (Object.keys(slices))) {
      for (const listener of this.#listeners.get(name) ?? []) listener(slices[name]);
    }
    this.#schedule();
  }
}

/** @returns {WorkerLike} */
function newWorker() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}

/** The address of the broker that served the page, whatever path it is served below. */
function pageBroker() {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url.href;
}
