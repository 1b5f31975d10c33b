/** Bytes that arrive piece by piece and are wanted whole. */
export class Pieces {
  /** @type {Uint8Array[]} */
  #pieces = [];
  size = 0;

  /** The last byte; undefined where there is none. */
  get last() {
    return this.#pieces.at(-1)?.at(-1);
  }

  /**
   * Keep a copy of these: what a socket hands out may be used again.
   *
   * @param {Uint8Array} bytes
   */
  add(bytes) {
    if (bytes.length > 0) {
      this.#pieces.push(bytes.slice());
      this.size += bytes.length;
    }
  }

  /** All of them as one, and forget them. */
  take() {
    const whole = this.#pieces.length === 1 ? this.#pieces[0] : this.#joined();
    this.#pieces = [];
    this.size = 0;
    return whole;
  }

  #joined() {
    const whole = new Uint8Array(this.size);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}
