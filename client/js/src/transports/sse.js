import { SwarmwireError } from "../protocol/errors.js";

/**
 * One frame of server-sent events: its name (none of an ordinary event), its data, and the place it tells.
 * @typedef {object} Frame
 * @property {string} event
 * @property {string} data
 * @property {string | null} id
 */

/**
 * Cuts frames out of text that comes in pieces of any size. Lines end in LF or CRLF, comments are left out.
 */
export class FrameReader {
  #limit;
  #rest = "";
  /** @type {string[]} */
  #lines = [];
  #size = 0;

  /** @param {number} limit characters of a frame */
  constructor(limit) {
    this.#limit = limit;
  }

  /**
   * The frames that this piece completes.
   * @param {string} piece
   * @returns {Frame[]}
   * @throws {SwarmwireError} MESSAGE_TOO_LARGE
   */
  read(piece) {
    const lines = piece.split("\n");
    const last = /** @type {string} */ (lines.pop());
    /** @type {Frame[]} */
    const frames = [];
    for (const line of lines) {
      this.#line((this.#rest + line).replace(/\r$/, ""), frames);
      this.#rest = "";
    }
    this.#rest += last;
    this.#check();
    return frames;
  }

  /**
   * @param {string} line
   * @param {Frame[]} frames
   */
  #line(line, frames) {
    if (line === "") {
      if (this.#lines.length > 0) frames.push(frameOf(this.#lines));
      this.#lines = [];
      this.#size = 0;
    } else if (!line.startsWith(":")) {
      this.#lines.push(line);
      this.#size += line.length;
      this.#check();
    }
  }

  #check() {
    if (this.#size + this.#rest.length > this.#limit) {
      const sentence = `A frame of events has at most ${this.#limit} characters.`;
      throw new SwarmwireError("MESSAGE_TOO_LARGE", sentence);
    }
  }
}

/**
 * @param {string[]} lines
 * @returns {Frame}
 */
function frameOf(lines) {
  /** @type {Frame} */
  const frame = { event: "", data: "", id: null };
  /** @type {string[]} */
  const data = [];
  for (const line of lines) {
    const [, name, value] = /** @type {RegExpExecArray} */ (/^([^:]*)(?:: ?(.*))?$/s.exec(line));
    if (name === "data") data.push(value ?? "");
    else if (name === "id") frame.id = value ?? "";
    else if (name === "event") frame.event = value ?? "";
  }
  frame.data = data.join("\n");
  return frame;
}
