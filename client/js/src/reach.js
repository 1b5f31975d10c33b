import { Loss } from "./loss.js";
import { Disconnected, SwarmwireError } from "./protocol/errors.js";
import { Session } from "./session.js";
import { expectedName, places } from "./transports/places.js";

/** @typedef {import("./core.js").Core} Core */
/** @typedef {import("./session.js").Dial} Dial */

/** Finds the broker, anew before each connection, among the places where it may be. */
export class Reach {
  /**
   * The URL of the last connection.
   * @type {string | null}
   */
  place = null;
  #core;
  #dial;

  /**
   * @param {Core} core
   * @param {Dial} dial
   */
  constructor(core, dial) {
    this.#core = core;
    this.#dial = dial;
  }

  /**
   * A connection that was welcomed, by the first place where somebody answers. Where we are refused we go no
   * further.
   * @param {import("./protocol/messages.js").Hello} hello
   * @param {AbortSignal} signal
   */
  async session(hello, signal) {
    const { settings } = this.#core;
    /** @type {unknown} */
    let nobody = new Disconnected("There is no place where the broker could be.");
    for (const url of await places(settings)) {
      this.place = url;
      const session = new Session(this.#core);
      try {
        await session.open(this.#dial, url, hello, signal, expectedName(settings));
        return session;
      } catch (fault) {
        if (signal.aborted || !isNobody(fault)) throw fault;
        nobody = fault;
      }
    }
    throw nobody;
  }
}

/**
 * Whether no broker answered, or one of another name.
 * @param {unknown} fault
 */
function isNobody(fault) {
  return !(fault instanceof Loss) && fault instanceof SwarmwireError && fault.code === "UNAVAILABLE";
}
