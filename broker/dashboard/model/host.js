/**
 * The worker's inside: takes what the page asks and answers it, reads the broker's events into the model. It
 * runs wherever the SDK does; the worker around it only passes messages.
 */

import { ClientList } from "./clientlist.js";
import { Frames } from "./frames.js";
import { BEAT_MS, Intake } from "./intake.js";
import { Overview } from "./overview.js";
import { failureOf } from "./poll.js";
import { sectionsOf } from "./sections.js";
import { Session } from "./session.js";
import { subscribable } from "./status.js";
import { Tailing } from "./tailing.js";
import { Workload } from "./workload.js";

/** @typedef {import("./frames.js").Wants} Wants */
/** @typedef {import("./slices.js").SliceName} SliceName */
/** @typedef {import("./slices.js").Slices} Slices */
/** @typedef {import("../../sdk/caller.js").CallOptions} CallOptions */
/** @typedef {import("../../sdk/client.js").Client} Client */
/** @typedef {import("../../sdk/publisher.js").PublishOptions} PublishOptions */

/**
 * What the page says.
 * @typedef {{do: "connect", url: string, token?: string|null} | {do: "logout"} | {do: "frame", wants: Wants}
 *   | {do: "call", id: number, method: string, params?: unknown, options?: CallOptions}
 *   | {do: "publish", id: number, topic: string, data: unknown, options?: PublishOptions}} PageMessage
 */
/**
 * What it is told. An answer has either `data` or `error`.
 * @typedef {{code: string, message: string, field?: string, details?: unknown}} Refusal
 * @typedef {{is: "frame", slices: Partial<Slices>}
 *   | {is: "answer", id: number, data?: unknown, error?: Refusal}} HostMessage
 */

const BEATS_A_SECOND = 1000 / BEAT_MS;

export class Host {
  #post;
  #clock;
  #session;
  #frames;
  #overview;
  #clients;
  #workload;
  #tail;
  #intake;
  #beats = 0;
  /** @type {(() => void)|null} */
  #stopBeat = null;

  /**
   * @param {object} ground
   * @param {(message: HostMessage) => void} ground.post
   * @param {import("./session.js").MakeClient} ground.makeClient
   * @param {import("./stream.js").Clock} ground.clock
   */
  constructor({ post, makeClient, clock }) {
    this.#post = post;
    this.#clock = clock;
    const hooks = {
      connected: (/** @type {Client} */ client) => this.#connected(client),
      lost: () => this.#stopPolls(),
      ended: () => this.#ended(),
    };
    this.#tail = new Tailing(clock);
    this.#intake = new Intake(this.#tail, (fault) => this.#failed(fault), clock);
    this.#session = new Session(makeClient, hooks, clock);
    const ask = (/** @type {string} */ method, /** @type {unknown} */ params) =>
      this.#ready().call(method, params);
    const looksAt = (/** @type {SliceName} */ name) => () => this.#frames.query(name) !== undefined;
    this.#overview = new Overview(ask, () => this.#ready().ping(), looksAt("overview"), clock);
    this.#clients = new ClientList(ask, () => this.#frames.query("clients"), clock);
    this.#workload = new Workload(ask, looksAt("tasks"), clock);
    this.#frames = new Frames(this.#sections(), (slices) => post({ is: "frame", slices }), clock);
    this.#beat();
  }

  /** @param {PageMessage} message */
  take(message) {
    switch (message.do) {
      case "connect":
        this.#reset();
        this.#session.connect(message.url, message.token ?? null);
        break;
      case "logout":
        this.#session.logout();
        this.#reset();
        break;
      case "frame":
        this.#ask(message.wants);
        break;
      case "call": {
        const { id, method, params, options } = message;
        void this.#answer(id, () => this.#ready().call(method, params, options));
        break;
      }
      case "publish": {
        const { id, topic, data, options } = message;
        void this.#answer(id, () => this.#ready().publish(topic, data, options));
        break;
      }
    }
  }

  /** Somebody else may log in. */
  #reset() {
    for (const part of [this.#overview, this.#clients, this.#workload]) part.forget();
    this.#intake.reset();
  }

  close() {
    this.#stopBeat?.();
    this.#stopBeat = null;
    this.#frames.close();
    this.#session.logout();
  }

  // ---- What the page asks

  /** @param {Wants} wants */
  #ask(wants) {
    const { clients, tasks, tail } = wants;
    const [formerClients, formerTasks] = [this.#frames.query("clients"), this.#frames.query("tasks")];
    this.#frames.ask(wants);
    if (tail === undefined) this.#tail.rest();
    const isOther = formerClients === undefined || clients?.selected !== formerClients.selected;
    if (clients !== undefined && isOther) this.#clients.hurry();
    if (tasks !== undefined && formerTasks === undefined) this.#workload.hurry();
  }

  /** @param {number} id @param {() => Promise<unknown>} work */
  async #answer(id, work) {
    try {
      this.#post({ is: "answer", id, data: await work() });
    } catch (fault) {
      const { field, details } = /** @type {{field?: string, details?: unknown}} */ (fault);
      this.#post({ is: "answer", id, error: { ...failureOf(fault), field, details } });
    }
  }

  /** @returns {Client} */
  #ready() {
    const { client } = this.#session;
    if (client !== null) return client;
    throw Object.assign(new Error("The page is not connected."), { code: "UNAVAILABLE" });
  }

  #sections() {
    const parts = { intake: this.#intake, session: this.#session, tail: this.#tail };
    const polled = { overview: this.#overview, clients: this.#clients, workload: this.#workload };
    return sectionsOf({ ...parts, ...polled }, this.#clock);
  }

  // ---- The connection

  /** @param {Client} client */
  #connected(client) {
    this.#intake.connected(client, subscribable(client));
    for (const part of [this.#overview, this.#clients, this.#workload]) part.start();
  }

  /** @param {unknown} fault */
  #failed(fault) {
    if (this.#session.phase === "ready") this.#session.complain(fault);
  }

  #ended() {
    this.#stopPolls();
    this.#intake.stop();
  }

  #stopPolls() {
    for (const part of [this.#overview, this.#clients, this.#workload]) part.stop();
  }

  #beat() {
    this.#stopBeat = this.#clock.after(BEAT_MS, () => this.#beat());
    this.#intake.beat();
    this.#beats += 1;
    if (this.#beats % BEATS_A_SECOND === 0) this.#overview.note(this.#intake.model);
  }
}
