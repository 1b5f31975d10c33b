// Checks JSON while it is typed, and says what is wrong and where; engines do so each in their own way.

/** @typedef {{message: string, line: number, column: number}} JsonFault line and column count from 1 */
/** @typedef {{value: unknown, fault: null} | {value: undefined, fault: JsonFault}} Checked */

/** The protocol's limit: deeper values are refused by the broker. */
const MOST_DEEP = 128;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const WORD = /(?:true|false|null)(?!\w)/y;
// One after the other: an expression for both would remember every character, and fail on a long text.
const PLAIN = /[^"\\\u0000-\u001f]+/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;

/**
 * @param {string} text
 * @returns {Checked}
 */
export function checkJson(text) {
  try {
    new Scanner(text).whole();
    return { value: JSON.parse(text), fault: null };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { value: undefined, fault: placed(text, error) };
  }
}

class Fault extends Error {
  /**
   * @param {string} message
   * @param {number} at
   */
  constructor(message, at) {
    super(message);
    this.at = at;
  }
}

class Scanner {
  #text;
  #at = 0;

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
  }

  whole() {
    this.#skip(SPACE);
    this.#value(0);
    if (this.#at < this.#text.length) throw this.#fault(`The value ends before ${this.#here()}`);
  }

  /** @param {number} depth */
  #value(depth) {
    const first = this.#text[this.#at];
    if (depth === MOST_DEEP && (first === "{" || first === "["))
      throw this.#fault(`There are more than ${MOST_DEEP} levels of nesting`);
    if (first === "{") this.#list("}", () => this.#field(depth + 1));
    else if (first === "[") this.#list("]", () => this.#value(depth + 1));
    else if (first === '"') this.#string();
    else if (!this.#skip(WORD)) this.#number();
    this.#skip(SPACE);
  }

  /** A value is what nothing else was. */
  #number() {
    const from = this.#at;
    if (!this.#skip(NUMBER)) throw this.#fault(`A value is expected, not ${this.#here()}`);
    if (!Number.isFinite(Number(this.#text.slice(from, this.#at))))
      throw new Fault("The number does not fit 64 bits", from);
  }

  /**
   * @param {string} end
   * @param {() => void} item
   */
  #list(end, item) {
    this.#at += 1;
    this.#skip(SPACE);
    if (this.#take(end)) return;
    for (;;) {
      item();
      if (this.#take(end)) return;
      if (!this.#take(",")) throw this.#fault(`"," or "${end}" is expected, not ${this.#here()}`);
      this.#skip(SPACE);
    }
  }

  /** @param {number} depth */
  #field(depth) {
    if (this.#text[this.#at] !== '"')
      throw this.#fault(`A name in double quotes is expected, not ${this.#here()}`);
    this.#string();
    this.#skip(SPACE);
    if (!this.#take(":")) throw this.#fault(`":" is expected after the name, not ${this.#here()}`);
    this.#skip(SPACE);
    this.#value(depth);
  }

  #string() {
    const from = this.#at;
    this.#at += 1;
    while (this.#skip(PLAIN) || this.#skip(ESCAPE));
    if (this.#take('"')) return;
    if (this.#at >= this.#text.length) throw new Fault("The text that begins here is not closed", from);
    const isEscape = this.#text[this.#at] === "\\";
    throw this.#fault(
      isEscape
        ? "There is no such escape"
        : "A line break or control character in a text is written as an escape: \\n",
    );
  }

  /**
   * @param {RegExp} pattern sticky
   * @returns {boolean} whether anything was there
   */
  #skip(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found !== "";
  }

  /** @param {string} character */
  #take(character) {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #here() {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? "the end" : `"${String.fromCodePoint(code)}"`;
  }

  /** @param {string} message */
  #fault(message) {
    return new Fault(message, this.#at);
  }
}

/**
 * @param {string} text
 * @param {Fault} fault
 * @returns {JsonFault}
 */
function placed(text, { message, at }) {
  const before = text.slice(0, at).split("\n");
  return { message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
