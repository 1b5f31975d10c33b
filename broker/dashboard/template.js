// What templates are made with, from one place. Styles of an element are bound as a property,
// `.style=${"width: 40%"}`: the page's Content-Security-Policy lets nobody set a style attribute.

export { html, svg, nothing, render } from "./vendor/lit-html/lit-html.js";
export { guard } from "./vendor/lit-html/directives/guard.js";
export { live } from "./vendor/lit-html/directives/live.js";
export { ref } from "./vendor/lit-html/directives/ref.js";
export { repeat } from "./vendor/lit-html/directives/repeat.js";

/** @typedef {import("./vendor/lit-html/lit-html.js").TemplateResult} TemplateResult */
/** @typedef {TemplateResult | typeof import("./vendor/lit-html/lit-html.js").nothing} Content */
