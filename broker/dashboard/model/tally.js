/** How many there are of each word of a fixed list; all other words are counted as one. */

export class Tally {
  /** @type {Record<string, number>} */
  counts = {};
  #words;
  #other;

  /** @param {readonly string[]} words @param {string} other */
  constructor(words, other) {
    this.#words = new Set(words);
    this.#other = other;
  }

  /** The name under which a word is counted. @param {string} word */
  nameOf(word) {
    return this.#words.has(word) ? word : this.#other;
  }

  /** @param {string|null} from @param {string|null} to */
  move(from, to) {
    if (from !== null) this.#add(this.nameOf(from), -1);
    if (to !== null) this.#add(this.nameOf(to), 1);
  }

  /** @param {string} name @param {number} change */
  #add(name, change) {
    const count = (this.counts[name] ?? 0) + change;
    if (count === 0) delete this.counts[name];
    else this.counts[name] = count;
  }
}
