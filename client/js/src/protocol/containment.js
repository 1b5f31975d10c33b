/** Which patterns contain which: the question whether a permission covers a subscription. */

/** How much `contains` looks at before it gives up and says no. */
const MAX_STATES = 20_000;

/**
 * Whether every topic that `inner` matches is matched by `outer` too; both are taken to be valid.
 *
 * The answer is exact, but for a pair of patterns so entangled that too many states would have to be looked
 * at: that is answered with false, the safe side where this decides what is allowed. The limits on the length
 * of topics play no part: `*.#` contains `#`.
 *
 * @param {string} outer
 * @param {string} inner
 */
export function contains(outer, inner) {
  const wanted = collapsed(outer);
  const segments = collapsed(inner);
  if (segments[0].startsWith("$") && isWildcard(wanted[0])) {
    return false;
  }
  return !new Search(new Automaton(wanted), segments).findsCounterexample();
}

/** @param {string} segment */
function isWildcard(segment) {
  return segment === "*" || segment === "#";
}

/**
 * The segments, with each run of `#` made one.
 *
 * @param {string} pattern
 */
function collapsed(pattern) {
  return pattern.split(".").filter((segment, place, all) => segment !== "#" || all[place - 1] !== "#");
}

/**
 * A pattern read segment by segment, in all possible ways at once.
 *
 * State n is: the first n segments of the pattern are used up. A set of states is a number, state n its bit
 * n; there are 33 states at most, more bits than the operators on plain numbers have.
 */
class Automaton {
  /** @type {bigint} the states before a `#` */
  #many = 0n;
  /** @type {Map<string, bigint>} the states that a segment leads out of */
  #takes = new Map();

  /** @param {string[]} segments */
  constructor(segments) {
    this.end = 1n << BigInt(segments.length);
    segments.forEach((segment, place) => {
      const state = 1n << BigInt(place);
      if (segment === "#") {
        this.#many |= state;
      } else {
        this.#takes.set(segment, (this.#takes.get(segment) ?? 0n) | state);
      }
    });
  }

  /**
   * The states after one more segment of a topic; null is one that the pattern does not name.
   *
   * @param {bigint} states
   * @param {string | null} segment
   */
  step(states, segment) {
    const named = segment === null ? 0n : (this.#takes.get(segment) ?? 0n);
    const taken = named | (this.#takes.get("*") ?? 0n);
    return this.settle(((states & taken) << 1n) | (states & this.#many));
  }

  /**
   * Add what can be reached without a segment, and leave out what makes no difference: what stands before a
   * `#` makes none, because whatever it could lead to, the `#` leads to as well.
   *
   * @param {bigint} states
   */
  settle(states) {
    const all = states | ((states & this.#many) << 1n);
    const many = all & this.#many;
    const latest = many === 0n ? 0n : BigInt(many.toString(2).length - 1);
    return (all >> latest) << latest;
  }
}

/**
 * The search for a topic that inner matches and outer does not.
 *
 * Where inner has a wildcard, a segment that outer does not name stands for all: if outer takes that one, it
 * does so by a wildcard, which takes every other as well.
 *
 * @typedef {object} Spot
 * @property {number} place of the next segment of inner
 * @property {bigint} states of outer
 * @property {boolean} begun whether the topic has begun
 */
class Search {
  /**
   * @param {Automaton} outer
   * @param {string[]} inner
   */
  constructor(outer, inner) {
    this.outer = outer;
    this.inner = inner;
    this.sparesReserved = isWildcard(inner[0]);
  }

  findsCounterexample() {
    const first = { place: 0, states: this.outer.settle(1n), begun: false };
    const seen = new Set([nameOf(first)]);
    const todo = [first];
    for (let spot = todo.pop(); spot !== undefined; spot = todo.pop()) {
      if (this.isCounterexample(spot) || seen.size > MAX_STATES) {
        return true;
      }
      for (const next of this.moves(spot)) {
        if (!seen.has(nameOf(next))) {
          seen.add(nameOf(next));
          todo.push(next);
        }
      }
    }
    return false;
  }

  /**
   * Whether inner can end here, or somewhere behind, with a topic that outer does not match.
   *
   * @param {Spot} spot
   */
  isCounterexample({ place, states, begun }) {
    if (place === this.inner.length) {
      return begun && (states & this.outer.end) === 0n; // there is no topic without segments
    }
    return states === 0n;
  }

  /**
   * @param {Spot} spot
   * @returns {Generator<Spot>}
   */
  *moves({ place, states, begun }) {
    if (place === this.inner.length) {
      return;
    }
    const segment = this.inner[place];
    if (segment === "#") {
      yield { place: place + 1, states, begun };
      yield { place, states: this.outer.step(states, null), begun: true };
    } else if (segment === "*") {
      yield { place: place + 1, states: this.outer.step(states, null), begun: true };
    } else if (begun || !(this.sparesReserved && segment.startsWith("$"))) {
      yield { place: place + 1, states: this.outer.step(states, segment), begun: true };
    }
  }
}

/** @param {Spot} spot */
function nameOf({ place, states, begun }) {
  return `${place} ${states} ${begun}`;
}
