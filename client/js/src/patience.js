import { onAbort } from "./abort.js";
import { wrong } from "./options.js";
import { SwarmwireError } from "./protocol/errors.js";

/** @typedef {import("./clock.js").Clock} Clock */

/**
 * How long the caller of one request waits for its answer.
 * @typedef {object} Wait
 * @property {string} what the kind of request, for the sentence of an error
 * @property {number} ms Infinity: without a limit
 * @property {AbortSignal} [signal]
 */

/**
 * The milliseconds that a caller asked for; undefined and null mean `fallback`.
 * @param {number | null | undefined} timeoutMs
 * @param {number} fallback
 * @returns {number}
 * @throws {SwarmwireError} INVALID_MESSAGE for what is no number
 */
export function patienceOf(timeoutMs, fallback) {
  const ms = timeoutMs ?? fallback;
  if (typeof ms === "number" && !Number.isNaN(ms)) return ms;
  throw wrong("timeoutMs", "milliseconds", ms);
}

/**
 * Refuse a request that has no time at all: nothing is answered in no time, so it is not sent.
 * @param {Wait} wait
 * @throws {SwarmwireError} TIMEOUT; or the reason of a signal that was aborted before
 */
export function checkPatience({ what, ms, signal }) {
  signal?.throwIfAborted();
  if (ms <= 0) throw timedOut(what, ms);
}

/**
 * Call `end` once with an error when the time is over or the signal is aborted. Returns what takes that back,
 * harmless twice.
 * @param {Clock} clock
 * @param {Wait} wait
 * @param {(error: unknown) => void} end
 * @returns {() => void}
 */
export function watchPatience(clock, { what, ms, signal }, end) {
  const stop = clock.after(ms, () => over(timedOut(what, ms)));
  const forget = onAbort(signal, () => over(signal?.reason));
  const release = () => {
    stop();
    forget();
  };
  /** @param {unknown} error */
  const over = (error) => {
    release();
    end(error);
  };
  return release;
}

/**
 * The error of a request whose caller's patience ended.
 * @param {string} what
 * @param {number} ms
 */
function timedOut(what, ms) {
  return new SwarmwireError("TIMEOUT", `This ${what} was not answered within ${ms} ms.`);
}
