import { QueueFull, errorFrom } from "./protocol/errors.js";
import { OfflineQueue } from "./offlinequeue.js";
import { Outlet, unknown } from "./outlet.js";
import { LOOK_MS, Pace } from "./pace.js";
import { stampOf } from "./pendingpublish.js";

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./core.js").Wire} Wire */
/** @typedef {import("./pendingpublish.js").PendingPublish} PendingPublish */
/** @typedef {import("./protocol/errors.js").SwarmwireError} SwarmwireError */
/** @typedef {import("./protocol/messages.js").Welcome} Welcome */
/** @typedef {import("./requests.js").Answer} Answer */

/** Publishes that wait for their turn while there is a connection; one more is refused. */
export const MAX_WAITING = 100_000;

/**
 * Publishes on their way, in their order over all connections: those that wait to be written, and those
 * written that the broker has not answered.
 */
export class Outgoing {
  #clock;
  #pace;
  #limit;
  #patienceMs;
  /**
   * Written before; all of these come before those that wait.
   * @type {OfflineQueue<PendingPublish>}
   */
  #again = new OfflineQueue();
  /** @type {OfflineQueue<PendingPublish>} */
  #waiting = new OfflineQueue();
  /** @type {Map<number, PendingPublish>} */
  #unanswered = new Map();
  /** @type {Outlet | null} */
  #outlet = null;
  /** @type {SwarmwireError | null} */
  #ended = null;
  /** @type {Set<() => void>} */
  #whenEmpty = new Set();

  /**
   * @param {Clock} clock
   * @param {{ offlineQueue: number, requestTimeoutMs: number }} settings `offlineQueue` bounds what is taken
   *   while there is no connection; refusals that pass are put up with for `requestTimeoutMs` after the first
   */
  constructor(clock, { offlineQueue, requestTimeoutMs }) {
    this.#clock = clock;
    this.#pace = new Pace(clock, () => this.#pump());
    this.#limit = offlineQueue;
    this.#patienceMs = requestTimeoutMs;
  }

  /** Whether everything taken is done. */
  get empty() {
    return this.#unanswered.size + this.#again.size + this.#waiting.size === 0;
  }

  // ---- What users do

  /**
   * Take a publish, and write it if its turn has come.
   * @param {PendingPublish} publish
   * @throws {SwarmwireError} QueueFull, MESSAGE_TOO_LARGE, or why the client has ended: nothing was taken
   *   then
   */
  add(publish) {
    if (this.#ended !== null) throw this.#ended;
    this.#outlet?.check(publish);
    const limit = this.#outlet === null ? this.#limit : MAX_WAITING;
    if (this.#waiting.size >= limit) throw full(limit);
    this.#waiting.push(publish);
    if (this.#outlet === null) taken(publish);
    else this.#pump();
  }

  /**
   * Its caller gave up: it is not written any more, and its answer is not awaited.
   * @param {PendingPublish} publish
   */
  forget(publish) {
    if (publish.id !== null) this.#unanswered.delete(publish.id);
    publish.queue?.remove(publish);
    this.#pump();
  }

  /**
   * Call this once everything taken is done; returns what takes that back.
   * @param {() => void} callback
   * @returns {() => void}
   */
  whenEmpty(callback) {
    this.#whenEmpty.add(callback);
    this.#tell();
    return () => {
      this.#whenEmpty.delete(callback);
    };
  }

  // ---- What the connection does

  /**
   * Write again, in their order, what the broker can recognise as a repeat; then what was never written.
   * @param {Wire} wire
   * @param {Welcome} welcome
   */
  connected(wire, welcome) {
    const before = [...this.#unanswered.values(), ...this.#again.clear()];
    this.#unanswered.clear();
    this.#outlet = new Outlet(wire, welcome);
    this.#pace.reset();
    for (const publish of before.sort(byId)) this.#again.push(publish);
    this.#pump();
  }

  /** The connection is gone; what has a key stays, to be written again on the next. */
  lost() {
    this.#outlet = null;
    this.#pace.reset();
    for (const publish of this.#unanswered.values()) this.#doubt(publish);
    while (this.#waiting.size > this.#limit) this.#waiting.pop()?.fail(full(this.#limit));
    for (const publish of this.#waiting) taken(publish);
    this.#tell();
  }

  /**
   * There will be no connection any more: whoever waits is told what is known.
   * @param {SwarmwireError} error
   */
  end(error) {
    this.lost();
    this.#ended = error;
    const left = [...this.#unanswered.values(), ...this.#again.clear(), ...this.#waiting.clear()];
    this.#unanswered.clear();
    for (const publish of left) {
      publish.fail(publish.written === null ? error : unknown("the connection ended for good"));
    }
    this.#tell();
  }

  /**
   * Take the broker's answer to a publish; false if it is to none of these.
   * @param {Answer} message
   */
  settle(message) {
    const id = /** @type {number} */ (message.id);
    const publish = this.#unanswered.get(id);
    if (publish === undefined || message.type === "reply") return false;
    this.#unanswered.delete(id);
    if (message.type === "error") this.#refused(publish, errorFrom(message));
    else this.#accepted(publish, message);
    this.#pump();
    return true;
  }

  // ---- Inside

  /**
   * @param {PendingPublish} publish
   * @param {import("./protocol/messages.js").Ack} message
   */
  #accepted(publish, message) {
    this.#pace.widen();
    publish.succeed({ seq: message.seq ?? null, duplicate: message.duplicate === true });
  }

  /**
   * @param {PendingPublish} publish
   * @param {SwarmwireError} error
   */
  #refused(publish, error) {
    const pause = passing(error) && publish.key !== null ? error.retryAfterMs : undefined;
    if (pause === undefined || !publish.outlasts(this.#clock.now(), pause, this.#patienceMs)) {
      // The refusal speaks of the repeat alone.
      publish.fail(publish.doubtful ? unknown(`its repeat was refused with ${error.code}`, error) : error);
      return;
    }
    if (!publish.doubtful) publish.written = null;
    this.#again.push(publish);
    this.#pace.narrow(pause);
  }

  /**
   * Its connection is lost.
   * @param {PendingPublish} publish
   */
  #doubt(publish) {
    publish.doubtful = true;
    if (publish.key !== null || publish.id === null) return;
    this.#unanswered.delete(publish.id);
    publish.fail(unknown("it was written without a key when the connection was lost"));
  }

  /** Write what waits, as far as the broker and the socket take it. */
  #pump() {
    while (this.#outlet !== null && this.#pace.admits(this.#unanswered.size)) {
      if (!this.#outlet.writable) {
        this.#pace.hold(LOOK_MS);
        break;
      }
      const publish = this.#again.shift() ?? this.#waiting.shift();
      if (publish === null) break;
      this.#write(publish, this.#outlet);
    }
    this.#tell();
  }

  /**
   * @param {PendingPublish} publish
   * @param {Outlet} outlet
   */
  #write(publish, outlet) {
    const now = stampOf(this.#clock);
    const objection = outlet.objection(publish, now);
    if (objection !== null) {
      publish.fail(objection);
      return;
    }
    if (publish.id !== null) this.#unanswered.set(publish.id, publish);
    outlet.write(publish, now);
    taken(publish);
  }

  #tell() {
    if (!this.empty) return;
    const callbacks = this.#whenEmpty;
    this.#whenEmpty = new Set();
    for (const callback of callbacks) callback();
  }
}

/**
 * Who wants to know nothing of a publish waits no longer than until it was written, or there is nowhere to
 * write it.
 * @param {PendingPublish} publish
 */
function taken(publish) {
  if (publish.id === null) publish.succeed(null);
}

/**
 * Whether the same may succeed later, and nothing was done yet.
 * @param {SwarmwireError} error
 */
function passing(error) {
  return error.retry && error.outcome === "not_done";
}

/** @param {number} limit */
function full(limit) {
  const sentence = `The queue of outgoing publishes is full; it holds ${limit}.`;
  return new QueueFull(sentence, { field: limit === MAX_WAITING ? "waiting" : "offlineQueue" });
}

/**
 * @param {PendingPublish} first
 * @param {PendingPublish} second
 */
function byId(first, second) {
  return (first.id ?? 0) - (second.id ?? 0);
}
