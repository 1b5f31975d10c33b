/** The longest wait that a timer of the platform takes, in milliseconds; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * Where time comes from.
 * @typedef {object} Clock
 * @property {() => number} now milliseconds that nobody sets back
 * @property {() => number} date milliseconds since 1970
 * @property {(ms: number, fn: () => void) => () => void} after calls `fn` once, after Infinity never; returns
 *   what takes it back
 * @property {(fn: () => void) => void} soon calls `fn` in a turn of its own, once who waits had theirs
 */

/** @type {Clock} */
export const clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  after,
  soon,
};

/**
 * @param {number} ms
 * @param {() => void} fn
 */
function after(ms, fn) {
  if (ms === Infinity) return () => {};
  let left = ms;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const wait = () => {
    const part = Math.min(left, LONGEST);
    left -= part;
    timer = setTimeout(() => (left > 0 ? wait() : fn()), part);
  };
  wait();
  return () => clearTimeout(timer);
}

/** @param {() => void} fn */
function soon(fn) {
  // In browsers timers are held back in hidden tabs, and messages are not.
  if (typeof setImmediate === "function") setImmediate(fn);
  else throughChannel(fn);
}

/** @type {MessageChannel | null} */
let channel = null;
/** @type {(() => void)[]} */
const waiting = [];

/** @param {() => void} fn */
function throughChannel(fn) {
  if (channel === null) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(fn);
  channel.port2.postMessage(null);
}
