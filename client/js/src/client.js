import { askFor } from "./ask.js";
import { Caller } from "./caller.js";
import { Core } from "./core.js";
import { disposeBy } from "./disposal.js";
import { checkHandler, handleEvents } from "./eventhandler.js";
import { Handlers } from "./handlers.js";
import { Lifecycle } from "./lifecycle.js";
import { Login } from "./login.js";
import { settingsOf } from "./options.js";
import { storeFor } from "./place.js";
import { Presence } from "./presence.js";
import { Publisher } from "./publisher.js";
import { Requests } from "./requests.js";
import { checkOptions, Subscription } from "./subscription.js";
import { Supervisor } from "./supervisor.js";
import { dial } from "./transports/dial.js";

/** @typedef {import("./events.js").Event} Event */
/** @typedef {import("./events.js").Gap} Gap */
/** @typedef {import("./events.js").Live} Live */
/** @typedef {import("./options.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */
/** @typedef {import("./subscription.js").SubscribeOptions} SubscribeOptions */
/** @typedef {import("./supervisor.js").Ground & { clock?: import("./clock.js").Clock }} Ground */

/**
 * A client of one broker, over as many connections as it takes. `connect()` makes one that is connected; one
 * that is made by `new` connects at `start()`, and what is subscribed and published before waits for that.
 */
export class Client {
  #core;
  #login;
  #publisher;
  #caller;
  #handlers;
  #supervisor;
  #lifecycle;

  /**
   * @param {string} [url] by default the broker that served the page; in Node the one of this machine
   * @param {ConnectOptions} [options]
   * @param {Ground} [ground] what it stands on, by default the platform
   * @throws {SwarmwireError} INVALID_MESSAGE for an option that there is not, or of a wrong kind
   */
  constructor(url, options = {}, ground = { dial, presence: new Presence() }) {
    this.#core = new Core(settingsOf(url, options), ground.clock);
    const requests = new Requests(this.#core);
    this.#handlers = new Handlers(this.#core, requests);
    this.#publisher = new Publisher(this.#core, requests);
    this.#caller = new Caller(this.#core, requests);
    this.#login = new Login(this.#core, requests, ground.draw);
    this.#core.attach({ requests, handlers: this.#handlers });
    this.#supervisor = new Supervisor(this.#core, this.#login, ground);
    const works = { publisher: this.#publisher, handlers: this.#handlers };
    this.#lifecycle = new Lifecycle(this.#core, this.#supervisor, works);
  }

  // ---- The connection

  /**
   * Connect; returns this client once it is connected.
   * @returns {Promise<this>}
   * @throws {SwarmwireError} when there is no welcome, and none is to be expected
   */
  async start() {
    await this.#lifecycle.start();
    return this;
  }

  /**
   * Send what `publish()` took, within `drainTimeoutMs`, and close for good. Harmless twice.
   *
   * Iterators end, whoever waits for an answer gets an error, and nothing connects again.
   * @returns {Promise<void>}
   */
  disconnect() {
    return this.#lifecycle.end();
  }

  /**
   * Wait until there will be no connection any more.
   * @returns {Promise<void>}
   * @throws {SwarmwireError} why; nothing is thrown after `disconnect()`
   */
  finished() {
    return this.#lifecycle.finished();
  }

  /**
   * Where it stands, as one word.
   * @returns {import("./core.js").State}
   */
  get state() {
    return this.#core.state;
  }

  /** Whether there is a connection: only between a welcome and the next loss. */
  get isReady() {
    return this.#core.wire !== null;
  }

  /** Why there will be no connection any more; null while there may be, and after `disconnect()`. */
  get error() {
    return this.#core.error;
  }

  /** The broker's name for this connection; null while there is none. */
  get id() {
    return this.isReady ? (this.#core.welcome?.client_id ?? null) : null;
  }

  /** Where the last connection went; null before there was one. */
  get url() {
    return this.#supervisor.place;
  }

  /** How the connection is carried: "websocket", "unix" or "http"; null while there is none. */
  get transport() {
    return this.#supervisor.kind;
  }

  /** Who the broker takes us for, and what that identity may do; null before the first welcome. */
  get identity() {
    return this.#core.welcome?.identity ?? null;
  }

  /** The broker, as the last welcome named it; null before the first. */
  get server() {
    return this.#core.welcome?.server ?? null;
  }

  /** The head of the broker's log at the last welcome; null before the first. */
  get head() {
    return this.#core.welcome?.cursor ?? null;
  }

  /** The limits that the broker told at the last welcome; null is no limit. */
  get limits() {
    return { ...this.#core.welcome?.limits };
  }

  /** What an acknowledged publish survives: "accepted", "stored_lazily" or "stored". */
  get durability() {
    return this.#core.welcome?.durability ?? null;
  }

  /**
   * Renew the login on the live connection. Later connections use the token too, unless a function gives
   * theirs.
   * @param {string} token
   * @returns {Promise<void>}
   * @throws {SwarmwireError} when the broker refuses the token, or there is no connection
   */
  async authenticate(token) {
    this.#lifecycle.checkOpen();
    await this.#login.authenticate(token);
  }

  /**
   * The milliseconds that a message takes to the broker and back.
   * @returns {Promise<number>}
   * @throws {SwarmwireError} UNAVAILABLE while there is no connection, TIMEOUT
   */
  async ping() {
    this.#lifecycle.checkOpen();
    return this.#core.pings.ask();
  }

  /**
   * Call a function at every client event of that name; returns a function that ends it, harmless twice.
   *
   * The events: connected {id}, authenticated (identity), disconnected {code, reason}, reconnecting {attempt,
   * delayMs, error}, resumed, gap (Gap), pong {latencyMs}, state {state, error}, error (what no caller waits
   * for), and message (Event) for what others send to this client itself.
   * @template {import("./emitter.js").ClientEventName} K
   * @param {K} name
   * @param {import("./emitter.js").Listener<K>} listener
   * @returns {() => void}
   */
  listen(name, listener) {
    return this.#core.emitter.listen(name, listener);
  }

  // ---- Events

  /**
   * Publish an event; returns its place in the log, or null without `ack`.
   *
   * Without a connection it waits in the offline queue. After a lost connection it is sent again with the
   * same key, by which the broker knows a repeat.
   * @param {string} topic
   * @param {unknown} data
   * @param {import("./publisher.js").PublishOptions} [options]
   * @returns {Promise<import("./pendingpublish.js").Published | null>}
   * @throws {SwarmwireError} what the broker answered; QueueFull; Disconnected; TIMEOUT; OUTCOME_UNKNOWN
   */
  async publish(topic, data, options) {
    this.#lifecycle.checkOpen();
    return this.#publisher.publish(topic, data, options);
  }

  /**
   * Events whose topic matches the pattern: `for await (const event of client.subscribe("agent.*.status"))`.
   * The broker is asked at once, or as soon as there is a connection; `await subscription.ready` tells that
   * it has answered.
   * @overload
   * @param {string} pattern
   * @param {SubscribeOptions & { gaps?: false, live?: false }} [options]
   * @returns {Subscription<Event>}
   */
  /**
   * @overload
   * @param {string} pattern
   * @param {SubscribeOptions} options
   * @returns {Subscription<Event | Gap | Live>}
   */
  /**
   * @param {string} pattern
   * @param {SubscribeOptions} [options]
   * @returns {Subscription<any>}
   * @throws {SwarmwireError} INVALID_TOPIC and INVALID_MESSAGE; of `resume` CONFLICT and UNAVAILABLE
   */
  subscribe(pattern, options = {}) {
    this.#lifecycle.checkOpen();
    checkOptions(options);
    options.signal?.throwIfAborted();
    const ask = askFor(pattern, options);
    const store = storeFor(ask, options.resume, this.#core.settings.resumeStorage);
    return new Subscription(this.#core, ask, options, store);
  }

  /**
   * Call a function with every event of the pattern, one after the other; returns what ends that.
   * @param {string} pattern
   * @param {(event: Event) => unknown} handler
   * @param {Omit<SubscribeOptions, "gaps" | "live">} [options]
   */
  on(pattern, handler, options = {}) {
    checkHandler(handler);
    const subscription = this.subscribe(pattern, { ...options, gaps: false, live: false });
    return handleEvents(this.#core, subscription, handler);
  }

  // ---- Calls

  /**
   * Call a method and return its answer; of a streamed answer, the last reply. It is sent at most once.
   * @param {string} method
   * @param {unknown} [params]
   * @param {import("./caller.js").CallOptions} [options]
   * @returns {Promise<any>}
   * @throws {SwarmwireError} what the broker or the handler answered; TIMEOUT; UNAVAILABLE while there is no
   *   connection; OUTCOME_UNKNOWN where it was lost before the answer
   */
  async call(method, params, options) {
    this.#lifecycle.checkOpen();
    return this.#caller.call(method, params, options);
  }

  /**
   * Call a method and iterate over its replies as they come; leaving the loop early cancels the call.
   *
   * At most `queueSize` replies wait to be read; beyond it the call is cancelled with SLOW_CONSUMER.
   * @param {string} method
   * @param {unknown} [params]
   * @param {import("./caller.js").CallOptions} [options]
   */
  callStream(method, params, options) {
    this.#lifecycle.checkOpen();
    return this.#caller.stream(method, params, options);
  }

  /**
   * Answer calls of a method by a function or an async generator function; registered again after each
   * reconnect.
   * @param {string} method
   * @param {import("./runningcall.js").HandlerFunction} handler
   * @param {{ maxCalls?: number | null }} [options]
   * @throws {SwarmwireError} CONFLICT where this client handles the method already
   */
  handle(method, handler, options) {
    this.#lifecycle.checkOpen();
    return this.#handlers.handle(method, handler, options);
  }
}

disposeBy(Client.prototype, Client.prototype.disconnect);
