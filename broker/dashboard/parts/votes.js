// Arithmetic of votes: how a proposal and a decision stand.

/** @typedef {import("../model/slices.js").Proposal} Proposal */
/** @typedef {import("../model/slices.js").Decision} Decision */
/**
 * @typedef {object} Standing
 * @property {number} yes
 * @property {number} no
 * @property {number} abstain
 * @property {number} silent those who may vote and have not; 0 where anybody may
 * @property {number} whole all of these
 * @property {number | null} mark the share of the whole that `yes` has to reach, null where it is not known
 */

/** @type {Record<string, number>} */
const SHARES = { majority: 1 / 2, "two-thirds": 2 / 3, unanimous: 1 };

/**
 * Once there is a result, its counts stand: the votes of an ended proposal may have been cut.
 *
 * @param {Proposal} proposal
 * @returns {Standing}
 */
export function standingOf({ votes, voters, quorum, result }) {
  const cast = (/** @type {string} */ word) => votes.filter(({ vote }) => vote === word).length;
  const yes = result?.votesFor ?? cast("yes");
  const no = result?.votesAgainst ?? cast("no");
  const abstain = result?.abstentions ?? cast("abstain");
  const silent = Math.max(0, (voters?.length ?? 0) - yes - no - abstain);
  const whole = yes + no + abstain + silent;
  return { yes, no, abstain, silent, whole, mark: markOf(quorum, whole, abstain) };
}

/**
 * Who abstains is left out of the count, so the mark is a share of the others.
 *
 * @param {string | null} quorum in words: `majority`, `3 votes`, `40 %`
 * @param {number} whole
 * @param {number} abstain
 * @returns {number | null}
 */
export function markOf(quorum, whole, abstain) {
  if (quorum === null || whole === 0) return null;
  const share = Object.hasOwn(SHARES, quorum) ? SHARES[quorum] : numberBefore(quorum, "%", 100);
  if (share !== null) return Math.min(1, (share * (whole - abstain)) / whole);
  const votes = numberBefore(quorum, "vote", 1);
  return votes === null ? null : Math.min(1, votes / whole);
}

/**
 * The options in the order in which they were asked.
 *
 * @param {Decision} decision
 * @returns {{ option: string, votes: number, confidence: number | null, isChosen: boolean }[]}
 */
export function optionsOf({ options, votes, result }) {
  return options.map((option) => {
    const cast = votes.filter((vote) => vote.option === option);
    const sure = cast.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]));
    const confidence = sure.length === 0 ? null : sure.reduce((sum, one) => sum + one, 0) / sure.length;
    return { option, votes: cast.length, confidence, isChosen: result?.selectedOption === option };
  });
}

/**
 * @param {string} text
 * @param {string} unit
 * @param {number} divisor
 */
function numberBefore(text, unit, divisor) {
  const [number, rest] = text.split(" ");
  return rest?.startsWith(unit) && Number.isFinite(Number(number)) ? Number(number) / divisor : null;
}
