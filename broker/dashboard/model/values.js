/**
 * The last values of everything, within a weight for all of them together: beyond it the largest, and among
 * these the oldest, keep only a preview.
 */

import { HEAVY, beginningOf, previewed, weightOf } from "./jsontext.js";

/** What all values together may weigh. */
const MOST = 2 ** 26;
/** What is lighter stays as it is: a preview would weigh as much. */
const LIGHT = 512;

/** A place for one value. Who holds it gives it back with `forget`. */
export class Kept {
  /** @type {unknown} */
  data = undefined;
  weight = 0;
}

/** How many binary digits a weight has. @param {number} weight */
function sizeOf(weight) {
  return 32 - Math.clz32(weight);
}

export class Values {
  /** Of all that is kept; roughly its bytes in memory. */
  weight = 0;
  #most;
  /** What is not light, by its size; what was kept last comes last. */
  #heavy = Array.from({ length: sizeOf(HEAVY) + 1 }, () => /** @type {Set<Kept>} */ (new Set()));

  /** @param {number} [most] */
  constructor(most = MOST) {
    this.#most = most;
  }

  /** Keeps a value in the place of what was there. @param {Kept} place @param {unknown} data */
  keep(place, data) {
    const weight = weightOf(data);
    if (weight <= HEAVY) this.#put(place, data, weight);
    else this.#keepCut(place, beginningOf(data));
    if (this.weight > this.#most) this.#lighten();
  }

  /** @param {Kept} place */
  forget(place) {
    this.#put(place, undefined, 0);
  }

  /** @param {Kept} place @param {unknown} data @param {number} weight */
  #put(place, data, weight) {
    if (place.weight >= LIGHT) this.#heavy[sizeOf(place.weight)].delete(place);
    this.weight += weight - place.weight;
    place.data = data;
    place.weight = weight;
    if (weight >= LIGHT) this.#heavy[sizeOf(weight)].add(place);
  }

  /** @param {Kept} place @param {import("./jsontext.js").CutValue} data */
  #keepCut(place, data) {
    this.#put(place, data, weightOf(data));
  }

  #lighten() {
    for (let size = this.#heavy.length - 1; size >= 0; size -= 1) {
      for (const place of this.#heavy[size]) {
        if (this.weight <= this.#most) return;
        this.#keepCut(place, previewed(place.data));
      }
    }
  }
}
