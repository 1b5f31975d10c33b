import { SwarmwireError } from "../protocol/errors.js";
import { selectVersion } from "../protocol/versions.js";
import { ABNORMAL, CLOSE_TIMEOUT_MS, Ending } from "./carrier.js";
import { decided, takeBatch } from "./httpbatch.js";
import { callOverHttp } from "./httpcall.js";
import { Bye, ENDS, Lost, byeFor, errorMessage, parsed, problemOf } from "./httpproblem.js";
import { HELLO, HttpRequests, NDJSON, OK, PUBLISH } from "./httprequests.js";
import { HttpSubscriptions } from "./httpsubscriptions.js";

/** @typedef {import("./carrier.js").Hooks} Hooks */
/** @typedef {import("./httpbatch.js").Sent} Sent */
/** @typedef {import("./httpproblem.js").RequestId} RequestId */

const SILENT_BEATS = 2;
const NO_BROKER = "The other side is no Swarmwire broker.";
const IN_TURN = ["publish", "subscribe", "unsubscribe", "auth", "call"];

/**
 * A connection over HTTP: the messages of a client as requests, and what is answered as messages.
 *
 * Requests are decided in the order they were sent, as on every other way: publishes go as batches, one on
 * its way while the next gathers, and what follows them waits for their answer. What loses a request or a
 * stream loses the connection, so that reconnecting and resuming are the client's own.
 */
class HttpCarrier {
  /** @type {"http"} */
  kind = "http";
  #requests;
  #ending;
  #over = new AbortController();
  #subscriptions;
  /** @type {any} */
  #welcome = null;
  /** @type {Sent[]} */
  #queue = [];
  #queued = 0;
  /** @type {Promise<void> | null} */
  #working = null;
  /** @type {number | undefined} */
  #most;
  /** @type {Map<RequestId, AbortController>} */
  #calls = new Map();

  /**
   * @param {HttpRequests} requests
   * @param {Hooks} hooks
   */
  constructor(requests, hooks) {
    this.#requests = requests;
    this.#ending = new Ending(hooks);
    this.#subscriptions = new HttpSubscriptions(
      requests,
      (work) => this.#spawn(work),
      (text) => this.#ending.message(text),
    );
  }

  get buffered() {
    return this.#queued;
  }

  /** Whether nothing was asked that is not answered, but for what streams. */
  get idle() {
    return this.#working === null && this.#calls.size === 0;
  }

  /** @param {string} text */
  send(text) {
    if (this.#ending.silent) return;
    const message = JSON.parse(text);
    const { type, id } = message;
    if (type === "hello") void this.#spawn(() => this.#hello(message));
    else if (type === "ping") void this.#spawn(() => this.#ping(message.ts));
    else if (type === "cancel") this.#cancel(id);
    else if (IN_TURN.includes(type)) this.#enqueue({ type, id, message, text });
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  close(code, reason) {
    if (this.#ending.silent) return;
    this.#ending.hush();
    const cut = setTimeout(() => this.abort(), CLOSE_TIMEOUT_MS);
    void Promise.resolve(this.#working).then(() => {
      clearTimeout(cut);
      this.#end(code, reason, true);
    });
  }

  abort() {
    this.#end(ABNORMAL, "", false);
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} clean
   */
  #end(code, reason, clean) {
    this.#queue = [];
    this.#queued = 0;
    this.#ending.end(code, reason, clean);
    this.#over.abort();
    this.#subscriptions.close();
    for (const abort of this.#calls.values()) abort.abort();
  }

  /**
   * Do a part of the connection's work; with what it fails by the connection ends.
   * @param {() => Promise<void>} work
   */
  async #spawn(work) {
    try {
      await work();
    } catch (error) {
      if (this.#ending.over) return;
      if (error instanceof Bye) {
        this.#deliver(...error.messages());
        this.#end(error.code, error.reason, true);
      } else if (error instanceof Lost) {
        this.#end(ABNORMAL, error.message, false);
      } else {
        this.#end(ABNORMAL, `The connection failed: ${error}`, false);
      }
    }
  }

  /** @param {object[]} messages */
  #deliver(...messages) {
    for (const message of messages) this.#ending.message(JSON.stringify(message));
  }

  /** @param {Sent} sent */
  #enqueue(sent) {
    this.#queue.push(sent);
    this.#queued += sent.text.length;
    this.#working ??= this.#spawn(() => this.#work());
  }

  /** @param {Sent[]} done */
  #taken(...done) {
    for (const { text } of done) this.#queued -= text.length;
  }

  // ---- What is asked without waiting for its turn

  /** @param {{ client?: { instance?: string }, token?: string, versions: string[] }} hello */
  async #hello({ client, token, versions }) {
    this.#requests.introduce(client?.instance, token);
    const answer = await this.#ask(HELLO);
    if (answer.status !== OK) throw byeFor(problemOf(answer));
    const welcome = { ...parsed(answer.text, NO_BROKER), type: "welcome" };
    if (selectVersion(versions, [welcome.version]) === null) throw foreign(welcome.version);
    this.#welcome = welcome;
    this.#subscriptions.cursor = welcome.cursor;
    this.#subscriptions.silenceMs = SILENT_BEATS * welcome.heartbeat_ms || null;
    this.#deliver(welcome);
  }

  /** @param {number} [ts] */
  async #ping(ts) {
    await this.#requests.touch(this.#bounds());
    this.#deliver({ type: "pong", ts });
  }

  /** @param {RequestId} id */
  #cancel(id) {
    const waiting = this.#queue.findIndex((sent) => sent.type === "call" && sent.id === id);
    if (waiting >= 0) this.#taken(...this.#queue.splice(waiting, 1));
    else if (!this.#calls.has(id)) return;
    this.#calls.get(id)?.abort();
    this.#calls.delete(id);
    const answer = errorMessage({ code: "CANCELLED", message: "The call was given up." }, id);
    queueMicrotask(() => this.#deliver(answer));
  }

  // ---- What is decided in its order

  async #work() {
    await null; // no answer comes while the message is being sent
    while (this.#queue.length > 0) {
      if (this.#queue[0].type === "publish") {
        await this.#publish();
        continue;
      }
      const sent = /** @type {Sent} */ (this.#queue.shift());
      this.#taken(sent);
      if (sent.type === "subscribe") await this.#subscriptions.subscribe(sent.message);
      else if (sent.type === "unsubscribe") this.#subscriptions.unsubscribe(sent.message);
      else if (sent.type === "auth") await this.#renew(sent.message);
      else void this.#spawn(() => this.#call(sent.message));
    }
    this.#working = null; // at once: what is sent from now on needs another
  }

  /** Publish what waits in front, as one batch. */
  async #publish() {
    const batch = takeBatch(this.#queue, this.#welcome?.limits ?? {}, this.#most);
    const body = batch.map(({ text }) => text).join("\n");
    const answer = await this.#ask(PUBLISH, { method: "POST", body, headers: { "Content-Type": NDJSON } });
    if (answer.status === OK) {
      this.#taken(...batch);
      const { answers, end } = decided(batch, answer.text);
      this.#deliver(...answers);
      if (end !== null) throw end;
      return;
    }
    const problem = problemOf(answer);
    if (problem.code === "MESSAGE_TOO_LARGE" && batch.length > 1) {
      this.#most = Math.floor(batch.length / 2); // nothing of it was published
      this.#queue.unshift(...batch);
      return;
    }
    if (problem.code in ENDS) throw byeFor(problem);
    this.#taken(...batch);
    this.#deliver(...batch.map(({ id }) => errorMessage(problem, id)));
  }

  /**
   * Log in anew; streams go on, each from its place, with the new login.
   * @param {{ id: RequestId, token: string }} message
   */
  async #renew({ id, token }) {
    const answer = await this.#ask(HELLO, { headers: { Authorization: `Bearer ${token}` } });
    const problem = answer.status === OK ? this.#otherSubject(answer.text) : problemOf(answer);
    if (problem !== null) {
      this.#deliver(errorMessage(problem, id));
      return;
    }
    this.#requests.renew(token);
    this.#subscriptions.restart();
    this.#deliver({ type: "ack", id });
  }

  /** @param {string} text */
  #otherSubject(text) {
    const welcome = parsed(text, NO_BROKER);
    if (subjectOf(welcome) === subjectOf(this.#welcome)) return null;
    const message = "A renewed token must be of the same subject.";
    return { code: "PERMISSION_DENIED", message, field: "token" };
  }

  /** @param {{ id: RequestId, method: string, params?: unknown, timeout_ms?: number }} call */
  async #call(call) {
    const abort = new AbortController();
    this.#calls.set(call.id, abort);
    try {
      await callOverHttp(this.#requests, call, abort.signal, (message) => {
        if (!abort.signal.aborted) this.#deliver(message);
      });
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      if (this.#calls.get(call.id) === abort) this.#calls.delete(call.id);
    }
  }

  /**
   * @param {string} path
   * @param {import("./httprequests.js").Asking} [asking]
   */
  #ask(path, asking) {
    return this.#requests.ask(path, { ...asking, ...this.#bounds() });
  }

  /** What ends a request early: the end of the connection, and silence. */
  #bounds() {
    return { signal: this.#over.signal, silenceMs: this.#subscriptions.silenceMs };
  }
}

/**
 * Connect to a broker by its HTTP routes.
 * @param {string} url
 * @param {Hooks} hooks
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<HttpCarrier>}
 * @throws {SwarmwireError} INVALID_MESSAGE for a URL that is none, UNAVAILABLE where nobody answers
 */
export async function dialHttp(url, hooks, { signal } = {}) {
  const requests = new HttpRequests(url);
  try {
    await requests.touch({ signal });
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    throw new SwarmwireError("UNAVAILABLE", `Nobody answers at ${url}. ${error.message}`, { cause: error });
  }
  return new HttpCarrier(requests, hooks);
}

/**
 * Who a token is of; empty where nobody logs in, and every request is of somebody else.
 * @param {any} welcome
 */
function subjectOf({ identity, client_id }) {
  return identity.subject === `anonymous:${client_id}` ? "" : identity.subject;
}

/** @param {string} version that the broker speaks, and the client does not */
function foreign(version) {
  const message = `The broker speaks version ${version} of the protocol.`;
  return byeFor({ code: "UNSUPPORTED_VERSION", message, versions: [version] });
}
