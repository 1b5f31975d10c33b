// What every view is given, and what a view is.

import * as format from "./format.js";

/** @typedef {import("./template.js").TemplateResult} TemplateResult */
/** @typedef {import("./template.js").Content} Content */
/** @typedef {import("./theme.js").Theme} Theme */
/** @typedef {import("./model/slices.js").May} May */
/** @typedef {import("./model/slices.js").Queries} Queries */
/** @typedef {Partial<Queries>} Wants the slices that are wanted, each with its query */
/** @typedef {Partial<import("./model/slices.js").Slices>} Slices those that have come */
/** @typedef {Pick<import("./feed.js").Feed, "call" | "publish">} ViewFeed the worker, as a view sees it */

/**
 * @typedef {object} Context
 * @property {ViewFeed} feed
 * @property {() => void} changed tells that the view's own state has changed: its wants are asked for
 *   anew, and it is drawn in the next frame
 * @property {(name: string, params?: Record<string, string>) => void} go opens a view:
 *   `go("tail", {pattern: "task.#"})`
 * @property {() => May} may what the identity may do just now
 * @property {Theme} theme
 * @property {typeof format} format
 */

/**
 * One page of the dashboard. Its state lives in itself; what it shows comes as slices.
 *
 * @typedef {object} View
 * @property {string} name what stands in the address: `#agents`
 * @property {string} title
 * @property {TemplateResult} icon an SVG of 20 by 20, drawn in the colour of the text
 * @property {() => Wants} wants slices by name, as its state needs them; asked for again after `changed()`
 * @property {(slices: Slices) => Content} draw called once a frame at most; a slice that has not come yet
 *   is undefined. `status` is always among them
 * @property {(params: URLSearchParams) => void} [opened] the address leads here, with what stands behind
 *   its `?`; again whenever that changes
 * @property {() => void} [closed] another view is shown from now on
 */

/** @type {May} */
const NOTHING = Object.freeze({ publish: false, call: false, observe: false, admin: false });

/**
 * @param {{feed: ViewFeed, theme: Theme, changed: () => void, status: () => {may?: May} | undefined}} given
 * @returns {Context}
 */
export function makeContext({ feed, theme, changed, status }) {
  return { feed, theme, changed, format, go, may: () => status()?.may ?? NOTHING };
}

/**
 * @param {string} name
 * @param {Record<string, string>} [params]
 */
function go(name, params = {}) {
  const query = new URLSearchParams(params).toString();
  location.hash = query === "" ? `#${name}` : `#${name}?${query}`;
}
