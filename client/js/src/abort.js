/**
 * Who waits for each signal. Each signal has one listener however many wait: a program may give one to all of
 * its requests, and Node takes many listeners of one signal for a leak.
 * @type {WeakMap<AbortSignal, { calls: Set<() => void>, listener: () => void }>}
 */
const watched = new WeakMap();

/**
 * Call this when the signal is aborted; returns what takes it back, harmless twice. Of a signal that was
 * aborted before nothing is heard, and nothing without a signal.
 * @param {AbortSignal | undefined} signal
 * @param {() => void} aborted
 * @returns {() => void}
 */
export function onAbort(signal, aborted) {
  if (signal === undefined) return () => {};
  const { calls } = watched.get(signal) ?? watch(signal);
  const call = () => aborted(); // the same function may be given twice
  calls.add(call);
  return () => {
    if (calls.delete(call) && calls.size === 0) unwatch(signal);
  };
}

/** @param {AbortSignal} signal */
function watch(signal) {
  /** @type {Set<() => void>} */
  const calls = new Set();
  const listener = () => {
    for (const call of calls) call();
  };
  const entry = { calls, listener };
  watched.set(signal, entry);
  signal.addEventListener("abort", listener);
  return entry;
}

/** @param {AbortSignal} signal */
function unwatch(signal) {
  const entry = watched.get(signal);
  if (entry !== undefined) signal.removeEventListener("abort", entry.listener);
  watched.delete(signal);
}
