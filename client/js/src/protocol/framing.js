/**
 * Messages on a stream of bytes, as Unix sockets carry them: frames (the preface, then for each message its
 * length as a 32-bit big-endian number and its bytes), or one JSON message a line, told apart by the first
 * byte.
 */

import { SwarmwireError } from "./errors.js";
import { Pieces } from "./pieces.js";

const utf8 = new TextEncoder();

/** What a stream of frames begins with, in both directions: `SWARM/1` and a line feed. */
export const PREFACE = utf8.encode("SWARM/1\n");

const LENGTH_BYTES = 4;
const BRACE = 0x7b;
const CR = 0x0d;
const LF = 0x0a;
const BLANK = /^[ \t\r]*$/;

/**
 * The frame for one message; the preface is not part of it.
 *
 * Throws INVALID_MESSAGE for an empty text.
 *
 * @param {string} text
 */
export function frame(text) {
  const payload = utf8.encode(text);
  if (payload.length === 0) {
    throw wrong("A frame carries at least one byte; this text is empty.");
  }
  const whole = new Uint8Array(LENGTH_BYTES + payload.length);
  new DataView(whole.buffer).setUint32(0, payload.length);
  whole.set(payload, LENGTH_BYTES);
  return whole;
}

/**
 * Cuts what one peer sends into messages, however it was split on the way.
 *
 * Keeps at most one unfinished message, never more of it than `maxBytes` (and the CR of its line). The first
 * error closes it: the bytes behind it mean nothing any more, and every later call throws it again.
 */
export class FrameCutter {
  /**
   * How the peer's messages come: not decided until its first byte, or all of the preface, came.
   *
   * @type {"undecided" | "frames" | "lines"}
   */
  mode = "undecided";
  #maxBytes;
  #partial = new Pieces();
  /** @type {number | null} the length of the frame, null while that itself is awaited */
  #length = null;
  /** @type {SwarmwireError | null} */
  #fault = null;
  #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** @param {number} [maxBytes] the most bytes of a message */
  constructor(maxBytes = Infinity) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Take the next bytes; gives the messages that are now complete.
   *
   * Throws INVALID_MESSAGE for a wrong preface, an empty frame and invalid UTF-8, MESSAGE_TOO_LARGE for a
   * message over the limit, each as soon as it can be known. The messages that the same call completed before
   * are in the `details` of the error, an array, and handed over once.
   *
   * @param {Uint8Array} bytes
   * @returns {string[]}
   */
  push(bytes) {
    return this.#guarded((messages) => {
      for (let at = 0; at < bytes.length;) {
        at = this.#read(bytes, at, messages);
      }
    });
  }

  /**
   * Take the end of the input; gives the last line if it lacks its line end, else nothing.
   *
   * Throws INVALID_MESSAGE if the input ends inside the preface or a frame.
   *
   * @returns {string[]}
   */
  finish() {
    return this.#guarded((messages) => this.#end(messages));
  }

  /** @param {(messages: string[]) => void} work */
  #guarded(work) {
    if (this.#fault !== null) {
      throw new SwarmwireError(this.#fault.code, this.#fault.message, { details: [] });
    }
    /** @type {string[]} */
    const messages = [];
    try {
      work(messages);
    } catch (error) {
      if (error instanceof SwarmwireError) {
        error.details = messages;
        this.#fault = error;
        this.#partial.take();
      }
      throw error;
    }
    return messages;
  }

  /**
   * Read one piece from `at` on; gives the place where the next begins.
   *
   * @param {Uint8Array} bytes
   * @param {number} at
   * @param {string[]} messages
   */
  #read(bytes, at, messages) {
    switch (this.mode) {
      case "undecided":
        return this.#readPreface(bytes, at);
      case "frames":
        return this.#readFrame(bytes, at, messages);
      case "lines":
        return this.#readLine(bytes, at, messages);
    }
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   */
  #readPreface(bytes, at) {
    if (this.#partial.size === 0 && bytes[at] === BRACE) {
      this.mode = "lines";
      return at;
    }
    if (bytes[at] !== PREFACE[this.#partial.size]) {
      throw wrong('A stream begins with "SWARM/1" and a line feed, or a JSON object; this one with neither.');
    }
    this.#partial.add(bytes.subarray(at, at + 1));
    if (this.#partial.size === PREFACE.length) {
      this.#partial.take();
      this.mode = "frames";
    }
    return at + 1;
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   * @param {string[]} messages
   */
  #readFrame(bytes, at, messages) {
    const size = this.#length ?? LENGTH_BYTES;
    const end = Math.min(bytes.length, at + size - this.#partial.size);
    this.#partial.add(bytes.subarray(at, end));
    if (this.#partial.size === size) {
      const whole = this.#partial.take();
      if (this.#length === null) {
        this.#length = this.#checkedLength(new DataView(whole.buffer, whole.byteOffset).getUint32(0));
      } else {
        this.#length = null;
        messages.push(this.#text(whole));
      }
    }
    return end;
  }

  /** @param {number} length */
  #checkedLength(length) {
    if (length === 0) {
      throw wrong("A frame carries at least one byte; this one has the length 0.");
    }
    if (length > this.#maxBytes) {
      throw this.#tooLarge(`a frame of ${length} bytes`);
    }
    return length;
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   * @param {string[]} messages
   */
  #readLine(bytes, at, messages) {
    const end = bytes.indexOf(LF, at);
    const piece = bytes.subarray(at, end < 0 ? bytes.length : end);
    this.#checkLine(piece);
    this.#partial.add(piece);
    if (end < 0) {
      return bytes.length;
    }
    this.#endLine(messages);
    return end + 1;
  }

  /** @param {Uint8Array} piece */
  #checkLine(piece) {
    const size = this.#partial.size + piece.length;
    const last = piece.length > 0 ? piece[piece.length - 1] : this.#partial.last;
    // A CR does not count while it may be half of the line end.
    if (size > this.#maxBytes && (size > this.#maxBytes + 1 || last !== CR)) {
      throw this.#tooLarge(`a line of ${size} bytes or more`);
    }
  }

  /** @param {string[]} messages */
  #endLine(messages) {
    const whole = this.#partial.take();
    const line = whole.at(-1) === CR ? whole.subarray(0, -1) : whole;
    const text = this.#text(line);
    if (!BLANK.test(text)) {
      messages.push(text);
    }
  }

  /** @param {string[]} messages */
  #end(messages) {
    const size = this.#partial.size;
    if (this.mode === "lines") {
      this.#endLine(messages);
    } else if (this.mode === "undecided" && size > 0) {
      throw wrong(`The input ends in the preface, after ${size} of ${PREFACE.length} bytes.`);
    } else if (this.#length !== null) {
      throw wrong(`The input ends in a frame, after ${size} of ${this.#length} bytes of its payload.`);
    } else if (size > 0) {
      throw wrong(`The input ends in a frame, after ${size} of ${LENGTH_BYTES} bytes of its length.`);
    }
  }

  /** @param {Uint8Array} bytes */
  #text(bytes) {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw wrong("A message is valid UTF-8; this one is not.");
    }
  }

  /** @param {string} what */
  #tooLarge(what) {
    const sentence = `A message has at most ${this.#maxBytes} bytes; this is ${what}.`;
    return new SwarmwireError("MESSAGE_TOO_LARGE", sentence);
  }
}

/** @param {string} sentence */
function wrong(sentence) {
  return new SwarmwireError("INVALID_MESSAGE", sentence);
}
