/**
 * Events of some patterns, read for as long as there is a client: over reconnects, and anew where the log
 * is a new one.
 */

/** @typedef {import("./event.js").TopicEvent} TopicEvent */
/** @typedef {import("./tail.js").Missing} Missing */
/**
 * @typedef {{now: () => number, date: () => number, after: (ms: number, fn: () => void) => () => void,
 *   soon: (fn: () => void) => void}} Clock as the SDK's
 */

/**
 * What is read of a subscription: an event has a topic, a gap a reason, and the mark behind the past neither.
 * @typedef {TopicEvent | (Missing & {topic?: undefined}) | {topic?: undefined, reason?: undefined, cursor:
 *   string}} Item
 */
/**
 * @typedef {AsyncIterable<Item> & {cursor: string|null, close(): void}} Reading  as the SDK's Subscription
 */
/**
 * @typedef {{head: string|null, subscribe(pattern: string, options: Record<string, unknown>): Reading}}
 *   Reader  as the SDK's Client
 */

/**
 * @typedef {object} StreamHooks
 * @property {(event: TopicEvent, isNew: boolean) => boolean|void} take  `isNew`: it was published since there
 *   is a connection; false: it was taken before
 * @property {(gap: Missing) => void} gap
 * @property {(count: number) => void} [missed]  so many were published that are not taken: to be told only of
 *   who reads everything
 * @property {() => void} live  the past of all patterns is complete
 * @property {() => void} anew  the log is a new one: forget what was taken
 * @property {(fault: unknown) => void} failed  a pattern is not read any more
 */

const EVERYTHING = "#";
/** How long events are taken before other work gets its turn. */
const SLICE_MS = 10;
/** How often the time is looked at. */
const LOOK_EVERY = 32;

/**
 * A reading, and since when it has to make up for one that was left: the cursor there, and how many events
 * were told since.
 * @typedef {{reading: Reading, isLive: boolean, left: string|null, told: number}} Open
 */

/** @param {string} cursor */
function epochOf(cursor) {
  return cursor.slice(0, cursor.lastIndexOf(":"));
}

/** @param {string|null} cursor */
function seqOf(cursor) {
  return cursor === null ? 0 : Number(cursor.slice(cursor.lastIndexOf(":") + 1));
}

export class Stream {
  #client;
  #patterns;
  #from;
  #options;
  #hooks;
  #clock;
  #epoch = "";
  #closed = false;
  /** Whether the next reading leaves out what came between. */
  #skips = false;
  /** @type {Map<string, Open>} */
  #open = new Map();

  /**
   * @param {Reader} client
   * @param {{patterns: readonly string[], from: string, options: Record<string, unknown>}} what
   * @param {StreamHooks} hooks
   * @param {Clock} clock
   */
  constructor(client, { patterns, from, options }, hooks, clock) {
    this.#client = client;
    this.#patterns = patterns;
    this.#from = from;
    this.#options = options;
    this.#hooks = hooks;
    this.#clock = clock;
  }

  /** Whether all patterns are read up to now. */
  get isLive() {
    return this.#open.size > 0 && [...this.#open.values()].every(({ isLive }) => isLive);
  }

  /** The place up to which events were taken, of the first pattern. @returns {string|null} */
  get cursor() {
    const [first] = this.#open.values();
    return first?.reading.cursor ?? null;
  }

  start() {
    for (const pattern of this.#patterns) void this.#run(pattern);
  }

  /** Harmless twice. */
  close() {
    this.#closed = true;
    for (const { reading } of this.#open.values()) reading.close();
    this.#open.clear();
  }

  /**
   * Goes on with other options: from where it stands, or where the broker is too busy to read its log
   * again, with the last values.
   * @param {Record<string, unknown>} options
   * @param {boolean} isBusy
   */
  retune(options, isBusy) {
    this.#options = options;
    this.#skips = isBusy;
    for (const { reading } of this.#open.values()) reading.close();
  }

  /** @param {string} pattern */
  async #run(pattern) {
    /** @type {string|{cursor: string}|null} */
    let from = this.#from;
    try {
      while (!this.#closed && from !== null) {
        from = await this.#read(pattern, from, this.#leftOf(pattern));
      }
    } catch (fault) {
      this.#open.delete(pattern);
      if (!this.#closed) this.#hooks.failed(fault);
    }
  }

  /** Where a reading of everything was left for one that leaves out some. @param {string} pattern */
  #leftOf(pattern) {
    return this.#skips && pattern === EVERYTHING ? (this.#open.get(pattern)?.reading.cursor ?? null) : null;
  }

  /**
   * Reads one subscription to its end; returns where the next begins.
   * @param {string} pattern
   * @param {string|{cursor: string}} from
   * @param {string|null} left
   */
  async #read(pattern, from, left) {
    const options = this.#options;
    const reading = this.#client.subscribe(pattern, { ...options, from, gaps: true, live: true });
    const open = { reading, isLive: typeof from === "object", left, told: 0 };
    this.#open.set(pattern, open);
    // A busy broker is long in completing the past: what is newer than the welcome is news all the same.
    const head = seqOf(this.#client.head);
    let taken = 0;
    let began = this.#clock.now();
    for await (const item of reading) {
      if (item.topic !== undefined) this.#take(open, item, head);
      else if (item.reason === undefined) this.#goLive(open, item.cursor);
      else if (this.#isAnew(item)) {
        this.#skips = false;
        return this.#from;
      }
      taken += 1;
      if (taken % LOOK_EVERY === 0 && this.#clock.now() - began > SLICE_MS) {
        await new Promise((resolve) => this.#clock.soon(() => resolve(null)));
        began = this.#clock.now();
      }
    }
    if (options === this.#options) return null;
    const goesOn = open.isLive && reading.cursor !== null && !this.#skips;
    return goesOn ? { cursor: /** @type {string} */ (reading.cursor) } : this.#from;
  }

  /** @param {Open} open @param {TopicEvent} event @param {number} head */
  #take(open, event, head) {
    const isNew = open.isLive || event.seq === null || event.seq > head;
    if (this.#hooks.take(event, isNew) !== false && event.seq !== null) open.told += 1 + event.skipped;
  }

  /** @param {Open} open @param {string} cursor */
  #goLive(open, cursor) {
    const { left, told } = open;
    if (left !== null && epochOf(left) === epochOf(cursor)) {
      this.#hooks.missed?.(Math.max(0, seqOf(cursor) - seqOf(left) - told));
    }
    open.left = null;
    open.isLive = true;
    if (this.isLive) this.#hooks.live();
  }

  /**
   * Tells the gap; true if it is one to another log, which is read from its beginning.
   * @param {Missing} gap
   */
  #isAnew(gap) {
    this.#hooks.gap(gap);
    if (gap.reason !== "epoch") return false;
    const epoch = epochOf(gap.end);
    // Each pattern meets the gap; what the first has read anew since must stay.
    if (epoch !== this.#epoch) this.#hooks.anew();
    this.#epoch = epoch;
    return true;
  }
}
