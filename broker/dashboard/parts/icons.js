// The icons of the page: 20 by 20, in the colour of the text around them, never read aloud.

import { html, svg } from "../template.js";

/**
 * @param {unknown} shapes
 */
function icon(shapes) {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">${shapes}</svg>`;
}

export const ICONS = Object.freeze({
  overview: icon(svg`<path d="M3 16.5h14M5 13V9M9 13V4M13 13V7M17 13V10"/>`),
  topics: icon(svg`<path d="M4 3v12.5h4M4 6.5h4M4 11h4M11 6.5h6M11 11h6M11 15.5h6"/>`),
  clients: icon(svg`<path d="M4 5.5h9v6H4zM2.5 14.5h8M15 9h2.5v6.5h-5V13"/>`),
  agents: icon(svg`
    <rect x="4" y="7" width="12" height="9" rx="2.5"/>
    <path d="M10 7V3.5M8 11v1.5M12 11v1.5M2 10.5v3M18 10.5v3"/>
  `),
  tasks: icon(svg`
    <path d="M3 5l1.5 1.5L7 4M3 10.5 4.5 12 7 9.5M3 16l1.5 1.5L7 15M10 5.5h7M10 11h7M10 16.5h7"/>
  `),
  swarms: icon(svg`
    <circle cx="10" cy="4" r="2"/>
    <circle cx="4" cy="15" r="2"/>
    <circle cx="16" cy="15" r="2"/>
    <path d="M9 5.8 5 13.2M11 5.8l4 7.4M6 15h8"/>
  `),
  tail: icon(svg`<path d="M3 4.5h14M3 8.5h9M3 12.5h11M3 16.5h6"/>`),
  send: icon(svg`<path d="M17 3 9 11M17 3l-5 14-3-6-6-3z"/>`),
  more: icon(svg`
    <circle class="dot" cx="4" cy="10" r="1.3"/>
    <circle class="dot" cx="10" cy="10" r="1.3"/>
    <circle class="dot" cx="16" cy="10" r="1.3"/>
  `),
  bell: icon(svg`<path d="M5 13.5V9a5 5 0 0 1 10 0v4.5l1.5 1.5h-13zM8.5 17.5h3"/>`),
  auto: icon(svg`<circle cx="10" cy="10" r="6.5"/><path class="dot" d="M10 3.5a6.5 6.5 0 0 1 0 13z"/>`),
  dark: icon(svg`<path d="M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5z"/>`),
  light: icon(svg`
    <circle cx="10" cy="10" r="3.5"/>
    <path d="M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1
      M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1"/>
  `),
  leave: icon(svg`<path d="M12 4H4v12h8M8.5 10H17M14 7l3 3-3 3"/>`),
  close: icon(svg`<path d="m5 5 10 10M15 5 5 15"/>`),
  pause: icon(svg`<path d="M7 4.5v11M13 4.5v11"/>`),
  play: icon(svg`<path d="M6 4l9 6-9 6z"/>`),
  copy: icon(svg`<rect x="7" y="7" width="9.5" height="9.5" rx="1.5"/><path d="M13 7V3.5H3.5V13H7"/>`),
  search: icon(svg`<circle cx="8.5" cy="8.5" r="5"/><path d="m12.5 12.5 4.5 4.5"/>`),
  warning: icon(svg`<path d="M10 3 2.5 16.5h15zM10 8v4M10 14v.5"/>`),
  down: icon(svg`<path d="m5 8 5 5 5-5"/>`),
  right: icon(svg`<path d="m8 5 5 5-5 5"/>`),
  older: icon(svg`<path d="m12 5-5 5 5 5"/>`),
});
