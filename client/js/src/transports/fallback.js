import { onAbort } from "../abort.js";
import { SwarmwireError } from "../protocol/errors.js";
import { httpBase } from "./url.js";
import { dialWebSocket } from "./websocket.js";
import { webSocketClass } from "./websocketclass.js";

/** @typedef {import("./carrier.js").Carrier} Carrier */
/** @typedef {import("./carrier.js").Hooks} Hooks */
/** @typedef {import("./dial.js").DialOptions} DialOptions */

/**
 * Milliseconds for a handshake, which some proxies never answer, and between two looks whether WebSockets
 * pass by now.
 * @typedef {{ attemptMs: number, probeMs: number }} Pace
 */

const ATTEMPTS = 2;
const COME_BACK = 1012;
/** @type {Pace} */
const PACE = { attemptMs: 3000, probeMs: 60_000 };

/**
 * Open a WebSocket; where it is blocked twice though the broker answers plain requests, go on over HTTP. From
 * there WebSockets are tried again now and then, and once one passes the idle connection ends: the next is a
 * WebSocket.
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} options
 * @param {Pace} [pace]
 * @returns {Promise<Carrier>}
 * @throws {SwarmwireError} as `dialWebSocket`, and as `dialHttp`
 */
export async function dialWithFallback(url, hooks, options, pace = PACE) {
  const known = { ...options, WebSocket: await webSocketClass(options.WebSocket) };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await dialInTime(url, hooks, known, pace);
    } catch (error) {
      if (!(await isBlocked(error, url, options.signal))) throw error;
    }
  }
  return dialMeanwhile(url, hooks, known, pace);
}

/**
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} options
 * @param {Pace} pace
 */
async function dialInTime(url, hooks, { WebSocket, signal }, { attemptMs }) {
  const attempt = new AbortController();
  const late = new SwarmwireError("UNAVAILABLE", `No WebSocket opened within ${attemptMs} ms.`);
  const timer = setTimeout(() => attempt.abort(late), attemptMs);
  const forget = onAbort(signal, () => attempt.abort(signal?.reason));
  try {
    return await dialWebSocket(url, hooks, { WebSocket, signal: attempt.signal });
  } finally {
    clearTimeout(timer);
    forget();
  }
}

/**
 * Whether a WebSocket failed where a plain request does not.
 * @param {unknown} error
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
async function isBlocked(error, url, signal) {
  if (signal?.aborted || !(error instanceof SwarmwireError) || error.code !== "UNAVAILABLE") return false;
  try {
    const answer = await fetch(`${httpBase(url)}readyz`, { mode: "no-cors", cache: "no-store", signal });
    await answer.arrayBuffer();
    // Of another origin a page is told nothing but that it answered.
    return answer.ok || answer.type === "opaque";
  } catch {
    return false;
  }
}

/**
 * @param {string} url
 * @param {Hooks} hooks
 * @param {DialOptions} options
 * @param {Pace} pace
 */
async function dialMeanwhile(url, hooks, options, pace) {
  const { dialHttp } = await import("./http.js");
  const over = new AbortController();
  const carrier = await dialHttp(httpBase(url), { ...hooks, onClose }, options);
  const timer = setInterval(probe, pace.probeMs);
  over.signal.addEventListener("abort", () => clearInterval(timer));
  return carrier;

  /** @param {import("./carrier.js").Closed} closed */
  function onClose(closed) {
    over.abort();
    hooks.onClose(closed);
  }

  async function probe() {
    if (!carrier.idle) return;
    const passes = await opens(url, { ...options, signal: over.signal }, pace);
    if (passes && carrier.idle) carrier.close(COME_BACK, "WebSockets pass again.");
  }
}

/**
 * @param {string} url
 * @param {DialOptions} options
 * @param {Pace} pace
 */
async function opens(url, options, pace) {
  try {
    const trial = await dialInTime(url, { onMessage: () => {}, onClose: () => {} }, options, pace);
    trial.close(1000, "");
    return true;
  } catch {
    return false;
  }
}
