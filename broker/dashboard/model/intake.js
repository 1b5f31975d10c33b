/** What is read of the broker's events: everything, conflated and kept in the model, and the swarms whole. */

import { contains } from "../../sdk/protocol/topics.js";
import { Model } from "./model.js";
import { GapNotes } from "./status.js";
import { Stream } from "./stream.js";
import { Tempo } from "./tempo.js";

/** @typedef {import("../../sdk/client.js").Client} Client */
/** @typedef {import("./stream.js").StreamHooks} StreamHooks */

/** How often `beat` is called. */
export const BEAT_MS = 250;
/** Over how many beats the tempo is chosen. */
const TEMPO_BEATS = 12;
/** After so many beats the swarms are read though the last values are not complete: the broker is busy. */
const LATE_BEATS = 40;
const SWARMS = "swarm.#";
/** Events of swarms that may wait at the broker. */
const SWARM_QUEUE = 10000;
/** Revisions of one model stay below this: those of the next begin above. */
const MODEL_STEP = 2 ** 40;

/**
 * The patterns without those that others cover, whose events would only come twice.
 * @param {string[]} granted
 */
function widest(granted) {
  const covers = (/** @type {number} */ place, /** @type {number} */ at) =>
    contains(granted[place], granted[at]) && !(contains(granted[at], granted[place]) && at < place);
  return granted.filter((_, at) => granted.every((_other, place) => place === at || !covers(place, at)));
}

export class Intake {
  /** Rises with every gap. */
  news = 0;
  gaps = new GapNotes();
  model;
  #clock;
  #tail;
  #failed;
  #tempo = new Tempo();
  #models = 0;
  /** @type {Client|null} */
  #client = null;
  /** @type {Stream|null} */
  #stream = null;
  /** @type {Stream|null} */
  #swarmStream = null;
  /** @type {string[]} */
  #patterns = [];
  #beats = 0;
  /** Beats since everything was asked for. */
  #sinceRead = 0;
  #received = 0;

  /**
   * @param {import("./tailing.js").Tailing} tail  is handed what is new
   * @param {(fault: unknown) => void} failed  a pattern is not read any more
   * @param {import("./stream.js").Clock} clock
   */
  constructor(tail, failed, clock) {
    this.#tail = tail;
    this.#failed = failed;
    this.#clock = clock;
    this.model = new Model(clock.now());
  }

  get conflateMs() {
    return this.#tempo.conflateMs;
  }

  /** Whether the last values are complete. */
  get isLive() {
    return this.#stream?.isLive ?? false;
  }

  /** The place up to which events were taken. */
  get head() {
    return this.#stream?.cursor ?? null;
  }

  /** A number for a revision of the model that no other model has. @param {number} revision */
  revisionOf(revision) {
    return this.#models * MODEL_STEP + revision;
  }

  /**
   * There is a connection. Where the same may be read as before, the SDK goes on by itself.
   * @param {Client} client
   * @param {string[]} granted
   */
  connected(client, granted) {
    const patterns = widest(granted);
    if (client === this.#client && JSON.stringify(patterns) === JSON.stringify(this.#patterns)) return;
    this.stop();
    this.#forget();
    this.#client = client;
    this.#patterns = patterns;
    this.#sinceRead = 0;
    this.#tail.start(client);
    const what = { patterns, from: "latest", options: { conflateMs: this.conflateMs } };
    this.#stream = new Stream(client, what, this.#hooks(), this.#clock);
    this.#stream.start();
  }

  /** Nothing is read any more; what was read stays. Harmless twice. */
  stop() {
    this.#stream?.close();
    this.#swarmStream?.close();
    this.#stream = this.#swarmStream = this.#client = null;
    this.#tail.stop();
  }

  /** Somebody else may look: nothing stays. */
  reset() {
    this.#forget();
    this.model.forgetSwarms();
    this.gaps = new GapNotes();
  }

  beat() {
    this.model.pace.turn(this.#clock.now());
    this.#beats += 1;
    this.#sinceRead += 1;
    if (this.#sinceRead === LATE_BEATS) this.#readSwarms();
    if (this.#beats % TEMPO_BEATS === 0) this.#chooseTempo();
  }

  /** Reads the swarms' past behind the last values of everything: each takes of the broker's time. */
  #readSwarms() {
    if (this.#swarmStream !== null || this.#client === null) return;
    const patterns = this.#patterns.some((pattern) => contains(pattern, SWARMS))
      ? [SWARMS]
      : this.#patterns.filter((pattern) => contains(SWARMS, pattern));
    const what = { patterns, from: "start", options: { mode: "drop_oldest", queueSize: SWARM_QUEUE } };
    this.#swarmStream = new Stream(this.#client, what, this.#swarmHooks(), this.#clock);
    this.#swarmStream.start();
  }

  /** @returns {StreamHooks} */
  #hooks() {
    return {
      take: (event, isNew) => {
        if (!this.model.take(event, isNew)) return false;
        this.#received += 1;
        if (isNew) this.#tail.take(event);
        return true;
      },
      missed: (count) => this.model.miss(count),
      gap: (gap) => {
        this.#note(gap);
        this.#tail.takeGap(gap);
      },
      live: () => this.#readSwarms(),
      anew: () => this.#forget(),
      failed: this.#failed,
    };
  }

  /** @returns {StreamHooks} */
  #swarmHooks() {
    return {
      take: (event) => this.model.takeSwarm(event),
      gap: (gap) => {
        // Of any other loss the stream of everything tells as well.
        if (gap.reason === "overflow") this.#note(gap);
      },
      live: () => {},
      anew: () => this.model.forgetSwarms(),
      failed: this.#failed,
    };
  }

  /** @param {import("./tail.js").Missing} gap */
  #note(gap) {
    this.gaps.add(gap, this.#clock.date());
    this.news += 1;
  }

  /** The events of another log, or of another reader's. */
  #forget() {
    this.#models += 1;
    this.model = this.model.anew(this.#clock.now());
    this.model.pace.fit(this.conflateMs);
  }

  #chooseTempo() {
    const received = (this.#received * 1000) / (TEMPO_BEATS * BEAT_MS);
    this.#received = 0;
    const former = this.conflateMs;
    if (this.#stream?.isLive !== true || !this.#tempo.choose(received, this.#clock.now())) return;
    this.model.pace.fit(this.conflateMs);
    this.#stream.retune({ conflateMs: this.conflateMs }, this.conflateMs > former);
  }
}
