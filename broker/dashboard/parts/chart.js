// A chart of lines over time. Setting its data once a second costs little: one canvas is drawn anew.

import { time } from "../format.js";
import { html, ref } from "../template.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";

/** @typedef {(number | null)[]} Values */

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {string} colour a custom property: `--series-1`
 * @property {boolean} [isFilled] the area below the line is tinted
 * @property {boolean} [isStepped] the value holds until the next one
 */

/**
 * @typedef {object} ChartOptions
 * @property {string} label what the chart shows, for who cannot see it
 * @property {Line[]} lines
 * @property {(value: number | null | undefined) => string} format of the values
 * @property {number} [height] pixels
 * @property {number} [least] the axis goes up to this at least
 * @property {string} [together] charts of one name share their cursor
 */

const AXIS_FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif';
const DEFAULT_HEIGHT = 180;
const LINE_WIDTH = 1.5;
const AXIS_WIDTH = 52;

/** A young chart shows as much time as this. */
const LEAST_SECONDS = 120;

/** One chart of a view; `template()` places it, `set()` gives it what it shows. */
export class Chart {
  #options;
  /** @type {[number[], ...Values[]]} */
  #data;
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {HTMLElement | null} */
  #host = null;
  /** @type {HTMLElement[]} */
  #readings = [];
  #resizes = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width));
  #endTheme;

  /**
   * @param {ChartOptions} options
   * @param {import("../theme.js").Theme} theme
   */
  constructor(options, theme) {
    this.#options = options;
    this.#data = [[], ...options.lines.map(() => [])];
    this.#endTheme = theme.on(() => this.#recolour());
  }

  /** The chart's place in the page. */
  template() {
    const { label, lines, height = DEFAULT_HEIGHT } = this.#options;
    return html`
      <div class="chart" role="img" aria-label=${label}>
        <div class="chart-legend">
          ${lines.map(
            (line) => html`
              <span class="chart-key">
                <i .style=${`background: var(${line.colour})`}></i>
                ${line.label}
                <b></b>
              </span>
            `,
          )}
        </div>
        <div class="chart-plot" .style=${`height: ${height}px`} ${ref(this.#place)}></div>
      </div>
    `;
  }

  /**
   * Shows these values; the same arrays again cost nothing.
   *
   * @param {number[]} times seconds since 1970, rising
   * @param {...Values} values one list a line, null where nothing is known
   */
  set(times, ...values) {
    if (times === this.#data[0] && values.every((list, index) => list === this.#data[index + 1])) return;
    this.#data = [times, ...values];
    this.#plot?.setData(this.#data);
    this.#read();
  }

  /** Lets go of the page; called twice it does no harm. */
  close() {
    this.#endTheme();
    this.#remove();
  }

  /** @param {Element | undefined} host */
  #place = (host) => {
    this.#remove();
    if (!(host instanceof HTMLElement)) return;
    this.#host = host;
    this.#readings = [...(host.parentElement?.querySelectorAll("b") ?? [])];
    this.#resizes.observe(host);
  };

  #remove() {
    this.#resizes.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
    this.#host = null;
  }

  /** @param {number} width */
  #resize(width) {
    if (width === 0 || this.#host === null) return;
    const height = this.#options.height ?? DEFAULT_HEIGHT;
    if (this.#plot === null) this.#plot = new uPlot(this.#plan(width, height), this.#data, this.#host);
    else this.#plot.setSize({ width, height });
    this.#read();
  }

  /** Colours are read of the page anew. */
  #recolour() {
    const host = this.#host;
    if (this.#plot === null || host === null) return;
    this.#plot.destroy();
    this.#plot = null;
    this.#resize(host.clientWidth);
  }

  /** Writes the values below the cursor into the legend, or the last ones. */
  #read() {
    const at = this.#plot?.cursor.idx ?? this.#data[0].length - 1;
    this.#readings.forEach((reading, index) => {
      reading.textContent = this.#options.format(this.#data[index + 1]?.[at]);
    });
  }

  /**
   * @param {number} width
   * @param {number} height
   * @returns {uPlot.Options}
   */
  #plan(width, height) {
    const { together, format, least = 1 } = this.#options;
    const colour = colours(/** @type {HTMLElement} */ (this.#host));
    const axis = {
      stroke: colour("--faint"),
      font: AXIS_FONT,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height,
      legend: { show: false },
      padding: [8, 20, 0, 0],
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 7, width: 1.5 },
        ...(together === undefined ? {} : { sync: { key: together } }),
      },
      scales: {
        x: { range: (_plot, min, max) => [Math.min(min, max - LEAST_SECONDS), max] },
        y: { range: (_plot, _min, max) => [0, roof(Math.max(max ?? 0, least))] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 24,
          gap: 4,
          values: (_plot, moments) => clocks(moments),
          space: 80,
        },
        {
          ...axis,
          size: AXIS_WIDTH,
          gap: 6,
          space: 36,
          values: (_plot, values) => values.map((value) => withoutZeros(format(value))),
        },
      ],
      series: [{}, ...this.#options.lines.map((line) => seriesOf(line, colour(line.colour)))],
      hooks: { setCursor: [() => this.#read()] },
    };
  }
}

/**
 * @param {Line} line
 * @param {string} stroke
 * @returns {uPlot.Series}
 */
function seriesOf({ label, isFilled = false, isStepped = false }, stroke) {
  return {
    label,
    stroke,
    width: LINE_WIDTH,
    points: { show: false },
    ...(isFilled ? { fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.12)") } : {}),
    ...(isStepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
  };
}

/** A round number a little above the highest value. @param {number} most */
function roof(most) {
  const step = 10 ** Math.floor(Math.log10(most)) / 2;
  return Math.ceil((most * 1.05) / step) * step;
}

/** The numbers of an axis are round: `10.0k` is `10k`, `5.00 ms` is `5 ms`. @param {string} text */
function withoutZeros(text) {
  return text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");
}

/** Times of an axis, all with seconds where one needs them. @param {number[]} moments seconds since 1970 */
function clocks(moments) {
  const length = moments.some((moment) => moment % 60 !== 0) ? "00:00:00".length : "00:00".length;
  return moments.map((moment) => time(moment * 1000).slice(0, length));
}

/**
 * A custom property may say "light or dark"; as a colour of an element it is the one that counts.
 *
 * @param {HTMLElement} host
 * @returns {(property: string) => string} as `rgb(…)`
 */
function colours(host) {
  return (property) => {
    const probe = host.appendChild(document.createElement("i"));
    probe.style.color = `var(${property})`;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}
