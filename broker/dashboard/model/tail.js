/** The live tail: the last events that match a pattern, as they came, with the gaps between them. */

import { checkPattern, matcher } from "../../sdk/protocol/topics.js";
import { jsonOf, lightened, previewOf } from "./jsontext.js";
import { failureOf } from "./poll.js";
import { Ring } from "./ring.js";

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./slices.js").TailEvent} TailEvent */
/** @typedef {import("./slices.js").TailGap} TailGap */
/** @typedef {import("./slices.js").Problem} Problem */
/** @typedef {{start: string, end: string, reason: string, dropped: number|null}} Missing as the SDK's Gap */

/** Events and gaps kept. */
const KEPT = 1000;
/** Characters of one event's data. */
const JSON_MOST = 16384;
/** Characters of data of all rows of one answer: beyond it rows come with their previews only. */
const JSON_SUM = 524288;

/** An event as it is kept: texts are made of what is shown, and of its data no more than that may be. */
class Line {
  /** @type {string|null} */
  #preview = null;
  #head;
  #data;

  /** @param {number} key @param {TopicEvent} event */
  constructor(key, { seq, ts, topic, sender, skipped, data }) {
    this.#head = { key, seq, tsMs: ts, topic, from: sender, skipped };
    this.#data = lightened(data);
  }

  /** @param {number} most @returns {TailEvent} */
  row(most) {
    this.#preview ??= previewOf(this.#data);
    const { text, isCut } = jsonOf(this.#data, most);
    return { ...this.#head, gap: null, preview: this.#preview, json: text, isCut };
  }
}

export class TailLines {
  revision = 0;
  /** Events that came while it was paused. */
  held = 0;
  /** @type {Problem|null} */
  error = null;
  #pattern = "";
  #paused = false;
  /** What came while it was paused, for when it goes on. @type {Ring<Line|TailGap>} */
  #waiting = new Ring(KEPT);
  /** @type {(topic: string) => boolean} */
  #test = () => false;
  /** @type {Ring<Line|TailGap>} */
  #lines = new Ring(KEPT);
  #keys = 0;

  get size() {
    return this.#lines.size;
  }

  /** Begins anew with another pattern. @param {string} pattern @returns {boolean} whether it is one */
  begin(pattern) {
    this.clear();
    this.#pattern = pattern;
    this.error = null;
    try {
      checkPattern(pattern);
      this.#test = matcher(pattern);
    } catch (fault) {
      this.#test = () => false;
      this.error = failureOf(fault);
    }
    return this.error === null;
  }

  clear() {
    this.#lines = new Ring(KEPT);
    this.#waiting = new Ring(KEPT);
    this.held = 0;
    this.revision += 1;
  }

  /** @param {boolean} paused */
  pause(paused) {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.held = 0;
    for (const line of this.#waiting.slice()) this.#lines.push(line);
    this.#waiting = new Ring(KEPT);
    this.revision += 1;
  }

  /** @param {TopicEvent} event */
  take(event) {
    if (this.#pattern !== "#" && !this.#test(event.topic)) return;
    this.revision += 1;
    if (this.#paused) this.held += 1;
    this.#newest.push(new Line((this.#keys += 1), event));
  }

  /** @param {Missing} gap @param {number} tsMs */
  takeGap({ reason, start, end, dropped }, tsMs) {
    // The rows of another log have no place in this one.
    if (reason === "epoch") this.clear();
    this.revision += 1;
    const gap = { key: (this.#keys += 1), gap: reason, from: start, to: end, dropped, tsMs };
    (reason === "epoch" ? this.#lines : this.#newest).push(gap);
  }

  get #newest() {
    return this.#paused ? this.#waiting : this.#lines;
  }

  /**
   * A window, counted from the newest.
   * @param {number} offset
   * @param {number} limit
   * @returns {(TailEvent|TailGap)[]}
   */
  rows(offset, limit) {
    const end = this.#lines.size - offset;
    let left = JSON_SUM;
    return this.#lines.slice(end - limit, Math.max(0, end)).map((line) => {
      if (!(line instanceof Line)) return line;
      const row = line.row(Math.max(0, Math.min(JSON_MOST, left)));
      left -= row.json.length;
      return row;
    });
  }
}
