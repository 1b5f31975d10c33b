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
 * Whether a URL leads to a broker of this machine, for which no network is needed.
 * @param {string} url
 */
export function isOfThisMachine(url) {
  if (/^unix:/i.test(url)) return true;
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
