const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * A URL as it may be shown: without what could be a secret.
 * @param {string} url
 */
export function shownUrl(url) {
  return url.replace(/[?#].*$/s, "").replace(/\/\/[^/]*@/, "//");
}

/**
 * Where a broker's HTTP routes are, of the URL of its WebSocket: beside it. Ends in a slash.
 * @param {string} url
 */
export function httpBase(url) {
  const base = new URL(url);
  base.protocol = base.protocol.replace("ws", "http");
  base.search = base.hash = "";
  return new URL(".", base).href;
}

/**
 * Whether a URL leads to a place that is there without a network.
 * @param {string} url
 */
export function isNearby(url) {
  const { protocol, hostname } = new URL(url);
  return protocol === "unix:" || LOOPBACK.test(hostname);
}
