// Where the agents of a swarm stand in a drawing of its topology, and what joins them.

/** More members than this are not drawn one by one: the rest is one node that counts them. */
export const MOST_NODES = 60;

/** Where no topology has a node: the place of the one that counts the rest. */
const FREE_CORNER = { x: 1, y: -1 };

/** Workers below leaders that stand side by side; of more, there are several rows. */
const MOST_IN_A_ROW = 8;

/** Roles that lead others; a role counts by the words in it. */
const LEADING = /\b(coordinator|queen|lead|leader|manager|orchestrator|supervisor|planner)\b/i;

/** @typedef {{ agentId: string, role?: string | null, status?: string | null }} Member */
/**
 * @typedef {{ x: number, y: number, member: Member | null, more: number, leads: boolean }} Node
 *   with `x` and `y` from -1 to 1; `member` is null for the node that stands for `more` members
 */
/** @typedef {[number, number]} Edge  indexes of the two nodes */
/** @typedef {{ nodes: Node[], edges: Edge[] }} Layout */
/** @typedef {{ leaders: number[], others: number[] }} Ranks  indexes of nodes */
/** @typedef {{ places: [number, number][], edges: Edge[] }} Plan */

/** @type {Record<string, (ranks: Ranks) => Plan>} */
const PLANS = {
  mesh: (ranks) => withEdges(ringed(ranks), all),
  hierarchical: hierarchy,
  "hierarchical-mesh": leadersInTheMiddle,
  adaptive: (ranks) => withEdges(ringed(ranks), shortCuts),
};

/**
 * The drawing of `members`. A topology that is none of the four is a ring without edges: who talks to whom is
 * not known.
 * @param {string} topology
 * @param {readonly Member[]} members
 * @returns {Layout}
 */
export function layout(topology, members) {
  const { nodes, more } = chosen(members);
  const ranks = ranked(nodes, topology.startsWith("hierarchical"));
  const { places, edges } = (Object.hasOwn(PLANS, topology) ? PLANS[topology] : ringed)(ranks);
  places.forEach(([x, y], index) => Object.assign(nodes[index], { x: round(x), y: round(y) }));
  for (const index of ranks.leaders) nodes[index].leads = true;
  if (more > 0) nodes.push({ ...node(null, more), ...FREE_CORNER });
  return { nodes, edges };
}

/**
 * The room for a name below each node: the least distance of two that stand at about the same height.
 *
 * @param {readonly (readonly [number, number])[]} places
 * @param {number} lineHeight within which two count as at the same height
 * @returns {number} Infinity where no two do
 */
export function roomOf(places, lineHeight) {
  const sorted = [...places].sort((a, b) => a[0] - b[0]);
  let room = Infinity;
  sorted.forEach(([x, y], at) => {
    for (let next = at + 1; next < sorted.length && sorted[next][0] - x < room; next += 1) {
      if (Math.abs(sorted[next][1] - y) < lineHeight) room = sorted[next][0] - x;
    }
  });
  return room;
}

/**
 * How near the nearest two nodes are.
 *
 * @param {readonly (readonly [number, number])[]} places
 * @returns {number} Infinity where there are not two
 */
export function nearness(places) {
  let least = Infinity;
  places.forEach(([x, y], at) => {
    for (const [otherX, otherY] of places.slice(at + 1)) {
      least = Math.min(least, Math.hypot(otherX - x, otherY - y));
    }
  });
  return least;
}

/**
 * Up to MOST_NODES nodes, leaders first: who leads must not vanish in the node that counts.
 * @param {readonly Member[]} members
 * @returns {{ nodes: Node[], more: number }}
 */
function chosen(members) {
  const leaders = members.filter((member) => LEADING.test(member.role ?? ""));
  const others = members.filter((member) => !LEADING.test(member.role ?? ""));
  const sorted = [...leaders, ...others];
  const drawn = sorted.length > MOST_NODES ? sorted.slice(0, MOST_NODES - 1) : sorted;
  const nodes = drawn.map((member) => node(member, 0));
  return { nodes, more: sorted.length - drawn.length };
}

/** @param {Member | null} member @param {number} more @returns {Node} */
function node(member, more) {
  return { x: 0, y: 0, member, more, leads: false };
}

/**
 * Where nobody has a leading role and somebody must lead, the first member does.
 * @param {Node[]} nodes
 * @param {boolean} somebodyLeads
 * @returns {Ranks}
 */
function ranked(nodes, somebodyLeads) {
  const indexes = nodes.map((_, index) => index);
  const leaders = indexes.filter((index) => LEADING.test(nodes[index].member?.role ?? ""));
  if (somebodyLeads && leaders.length === 0 && nodes.length > 0) leaders.push(0);
  return { leaders, others: indexes.filter((index) => !leaders.includes(index)) };
}

/** @param {Ranks} ranks @returns {Plan} */
function ringed({ leaders, others }) {
  const count = leaders.length + others.length;
  const places = Array.from({ length: count }, (_, index) => onCircle(index / count, count === 1 ? 0 : 1));
  return { places, edges: [] };
}

/** @param {Plan} plan @param {(count: number) => Edge[]} edges @returns {Plan} */
function withEdges({ places }, edges) {
  return { places, edges: edges(places.length) };
}

/** @param {number} count @returns {Edge[]} */
function all(count) {
  return range(count).flatMap((a) => range(count).slice(a + 1).map((b) => edge(a, b)));
}

/**
 * A ring with short cuts across: an adaptive swarm has no fixed edges, so this is a picture of its kind.
 * @param {number} count
 * @returns {Edge[]}
 */
function shortCuts(count) {
  if (count < 3) return all(count);
  const leap = Math.max(2, Math.round(Math.sqrt(count)));
  const ring = range(count).map((a) => edge(a, (a + 1) % count));
  const across = range(Math.ceil(count / 2)).map((a) => edge(2 * a % count, (2 * a + leap) % count));
  const seen = new Set();
  return [...ring, ...across].filter(([a, b]) => a !== b && !seen.has(`${a} ${b}`) && seen.add(`${a} ${b}`));
}

/** @param {number} a @param {number} b @returns {Edge} */
function edge(a, b) {
  return a < b ? [a, b] : [b, a];
}

/**
 * A tree: the first leader, under it the other leaders, under those their workers in rows.
 * @param {Ranks} ranks
 * @returns {Plan}
 */
function hierarchy({ leaders, others }) {
  const [root, ...middle] = leaders;
  if (root === undefined) return { places: [], edges: [] };
  const rows = [[root], middle, ...rowsOf(others)].filter((row) => row.length > 0);
  /** @type {[number, number][]} */
  const places = [];
  rows.forEach((row, level) => {
    const y = rows.length === 1 ? 0 : -1 + (2 * level) / (rows.length - 1);
    row.forEach((index, at) => (places[index] = [spread(at, row.length), y]));
  });
  const above = middle.length > 0 ? middle : [root];
  const workers = others.map((index) => edge(nearest(places, above, index), index));
  return { places, edges: [...middle.map((index) => edge(root, index)), ...workers] };
}

/** @param {number[]} indexes @returns {number[][]} in rows of about the same length */
function rowsOf(indexes) {
  const rows = Math.ceil(indexes.length / MOST_IN_A_ROW);
  const width = Math.ceil(indexes.length / Math.max(1, rows));
  return range(rows).map((row) => indexes.slice(row * width, (row + 1) * width));
}

/**
 * Leaders as a mesh in the middle, each with its workers outside.
 * @param {Ranks} ranks
 * @returns {Plan}
 */
function leadersInTheMiddle({ leaders, others }) {
  /** @type {[number, number][]} */
  const places = [];
  leaders.forEach((index, at) => {
    places[index] = onCircle(at / leaders.length, leaders.length === 1 ? 0 : 0.42);
  });
  others.forEach((index, at) => (places[index] = onCircle((at + 0.5) / others.length, 1)));
  const mesh = all(leaders.length).map(([a, b]) => edge(leaders[a], leaders[b]));
  return { places, edges: [...mesh, ...others.map((index) => edge(nearest(places, leaders, index), index))] };
}

/** @param {[number, number][]} places @param {number[]} candidates @param {number} index */
function nearest(places, candidates, index) {
  const [x, y] = places[index];
  const distance = (/** @type {number} */ other) => Math.hypot(places[other][0] - x, places[other][1] - y);
  return candidates.reduce((best, other) => (distance(other) < distance(best) ? other : best));
}

/** @param {number} turn  0 is the top, 1 a whole turn @param {number} radius @returns {[number, number]} */
function onCircle(turn, radius) {
  const angle = 2 * Math.PI * turn - Math.PI / 2;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** @param {number} at @param {number} count @returns {number}  from -1 to 1, a single one in the middle */
function spread(at, count) {
  return count === 1 ? 0 : -1 + (2 * at) / (count - 1);
}

/** @param {number} count @returns {number[]} */
function range(count) {
  return Array.from({ length: count }, (_, index) => index);
}

/** @param {number} value @returns {number}  short enough for a path, exact enough for a screen */
function round(value) {
  return Math.round(value * 1000) / 1000;
}
