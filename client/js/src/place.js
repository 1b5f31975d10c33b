import { parseCursor } from "./protocol/cursor.js";
import { SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./options.js").ResumeStorage} ResumeStorage */

/**
 * A place in the log, with whether it lies in a snapshot that is not complete. Without a cursor: no place
 * yet.
 * @typedef {{ cursor: string | null, snapshot: boolean }} Place
 */

const PREFIX = "swarmwire:";

/**
 * Who of this program keeps a place under which key.
 * @type {WeakMap<ResumeStorage, Map<string, ResumePlace>>}
 */
const holders = new WeakMap();

/**
 * How far a subscription was consumed, kept in a storage that outlives the page, so that the page goes on
 * from there after a reload. One subscription at a time has it.
 */
export class ResumePlace {
  #storage;
  #key;
  #owner;
  #closed = false;
  #offered = false;

  /**
   * @param {ResumeStorage} storage
   * @param {string} key
   * @param {string} pattern
   * @param {string} mode
   * @throws {SwarmwireError} CONFLICT while another subscription uses the key, or where it belongs to another
   *   pattern or mode; INVALID_MESSAGE for what is damaged; UNAVAILABLE where the storage fails
   */
  constructor(storage, key, pattern, mode) {
    this.#storage = storage;
    this.#key = PREFIX + key;
    this.#owner = { pattern, mode };
    /** What was saved last. @type {Place} */
    this.place = this.#read();
    this.#claim();
  }

  /**
   * Save a place, unless it is the one saved last.
   * @param {Place} place
   * @throws {SwarmwireError} UNAVAILABLE where the storage fails
   */
  save({ cursor, snapshot }) {
    if (this.#closed || (cursor === this.place.cursor && snapshot === this.place.snapshot)) return;
    const text = JSON.stringify({ ...this.#owner, cursor, snapshot });
    this.#guarded(() => this.#storage.setItem(this.#key, text));
    this.place = { cursor, snapshot };
  }

  /** Nothing new will come: who wants the key may have it. Until then what is saved still counts. */
  offer() {
    this.#offered = true;
  }

  /** Let go of the key. Harmless twice. */
  close() {
    this.#closed = true;
    const keys = holders.get(this.#storage);
    if (keys?.get(this.#key) === this) keys.delete(this.#key);
  }

  #claim() {
    /** @type {Map<string, ResumePlace>} */
    const keys = holders.get(this.#storage) ?? new Map();
    const holder = keys.get(this.#key);
    if (holder !== undefined && !holder.#offered) {
      throw failed("CONFLICT", `${this.#key} is in use by another subscription.`);
    }
    holder?.close();
    holders.set(this.#storage, keys.set(this.#key, this));
  }

  /** @returns {Place} */
  #read() {
    const text = this.#guarded(() => this.#storage.getItem(this.#key));
    if (text === null) return { cursor: null, snapshot: false };
    const found = this.#parsed(text);
    const { pattern, mode } = this.#owner;
    if (found.pattern !== pattern || found.mode !== mode) {
      const wanted = `Expected a place of ${pattern} in mode ${mode}`;
      throw failed("CONFLICT", `${wanted}; ${this.#key} is of ${found.pattern} in mode ${found.mode}.`);
    }
    return { cursor: found.cursor, snapshot: found.snapshot };
  }

  /** @param {string} text */
  #parsed(text) {
    try {
      const { pattern, mode, cursor, snapshot } = JSON.parse(text);
      parseCursor(cursor);
      const place = { cursor: String(cursor), snapshot: snapshot === true };
      return { pattern: String(pattern), mode: String(mode), ...place };
    } catch (cause) {
      const sentence = `Expected a place, or none; ${this.#key} holds neither.`;
      throw failed("INVALID_MESSAGE", `${sentence} Remove it to begin as if for the first time.`, cause);
    }
  }

  /**
   * @template T
   * @param {() => T} step
   */
  #guarded(step) {
    try {
      return step();
    } catch (cause) {
      throw failed("UNAVAILABLE", `The storage of ${this.#key} failed.`, cause);
    }
  }
}

/**
 * Where a subscription keeps its place; null where it has no key.
 * @param {import("./ask.js").Ask} ask
 * @param {string | undefined} key
 * @param {ResumeStorage} [storage] by default that of the tab
 * @throws {SwarmwireError} as `ResumePlace`
 */
export function storeFor({ pattern, mode }, key, storage) {
  if (key === undefined) return null;
  const name = typeof mode === "string" ? mode : `conflate ${mode.conflate_ms} ms`;
  return new ResumePlace(storage ?? storageOfTab(), key, pattern, name);
}

/**
 * The storage of the tab, where there is one.
 * @returns {ResumeStorage}
 * @throws {SwarmwireError} UNAVAILABLE
 */
function storageOfTab() {
  try {
    // A page that may not store anything throws here.
    const storage = globalThis.sessionStorage;
    if (storage) return storage;
  } catch {
    // Said below.
  }
  throw failed("UNAVAILABLE", "There is no sessionStorage here; give connect() a resumeStorage.");
}

/**
 * @param {import("./protocol/errors.js").ErrorCode} code
 * @param {string} sentence
 * @param {unknown} [cause]
 */
function failed(code, sentence, cause) {
  return new SwarmwireError(code, sentence, { field: "resume", cause });
}
