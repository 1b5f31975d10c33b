import assert from "node:assert/strict";
import { test } from "node:test";

import { layout, MOST_NODES, nearness, roomOf } from "../../../broker/dashboard/parts/topologylayout.js";

const TOPOLOGIES = ["mesh", "hierarchical", "hierarchical-mesh", "adaptive", "something-new", "toString"];

/**
 * @param {number} count
 * @param {Record<number, string>} [roles]
 */
function members(count, roles = {}) {
  return Array.from({ length: count }, (_, index) => ({ agentId: `a${index}`, role: roles[index] ?? "coder", status: "idle" }));
}

/** @param {import("../../../broker/dashboard/parts/topologylayout.js").Layout} drawn */
function places({ nodes }) {
  return nodes.map(({ x, y }) => /** @type {[number, number]} */ ([x, y]));
}

test("every node stands inside the drawing, apart from all others, and every edge joins two of them", () => {
  for (const topology of TOPOLOGIES) {
    for (const count of [1, 2, 3, 5, 13, 24, 60, 61, 500]) {
      const drawn = layout(topology, members(count, { 0: "queen", 7: "team lead", 9: "Coordinator" }));
      const what = `${topology} of ${count}`;
      assert.equal(drawn.nodes.length, Math.min(count, MOST_NODES), what);
      for (const { x, y } of drawn.nodes) assert.ok(Math.abs(x) <= 1 && Math.abs(y) <= 1, `${what}: ${x} ${y}`);
      assert.ok(nearness(places(drawn)) > 0.01, `${what}: ${nearness(places(drawn))}`);
      for (const [a, b] of drawn.edges) assert.ok(a !== b && drawn.nodes[a] && drawn.nodes[b], `${what}: ${a} ${b}`);
      assert.equal(new Set(drawn.edges.map((edge) => [...edge].sort().join(" "))).size, drawn.edges.length, what);
    }
  }
});

test("a swarm without members is an empty drawing", () => {
  for (const topology of TOPOLOGIES) assert.deepEqual(layout(topology, []), { nodes: [], edges: [] });
});

test("in a mesh everybody is joined to everybody", () => {
  assert.equal(layout("mesh", members(7)).edges.length, 21);
});

test("in a hierarchy everybody but the first leader has one above", () => {
  const { nodes, edges } = layout("hierarchical", members(12, { 4: "queen", 8: "lead" }));
  assert.equal(edges.length, 11);
  assert.deepEqual(nodes.slice(0, 2).map(({ member }) => member?.agentId), ["a4", "a8"]);
  assert.deepEqual(nodes.filter(({ leads }) => leads).length, 2);
  assert.ok(nodes.every(({ y }, index) => index === 0 || y > nodes[0].y));
});

test("where nobody has a leading role the first member leads a hierarchy", () => {
  for (const topology of ["hierarchical", "hierarchical-mesh"]) {
    const { nodes, edges } = layout(topology, members(5));
    assert.equal(nodes[0].leads, true);
    assert.ok(edges.every(([a, b]) => a === 0 || b === 0));
  }
});

test("in a hierarchical mesh the leaders are joined to each other, and each worker to one leader", () => {
  const { nodes, edges } = layout("hierarchical-mesh", members(11, { 0: "lead", 1: "lead", 2: "lead" }));
  const isLeading = edges.filter(([a, b]) => nodes[a].leads && nodes[b].leads);
  assert.equal(isLeading.length, 3);
  assert.equal(edges.length, 3 + 8);
});

test("an adaptive swarm is a ring with short cuts, and whole", () => {
  const { nodes, edges } = layout("adaptive", members(20));
  assert.ok(edges.length > 20);
  const reached = new Set([0]);
  for (const _ of nodes) for (const [a, b] of edges) if (reached.has(a) || reached.has(b)) reached.add(a).add(b);
  assert.equal(reached.size, 20);
});

test("a topology that is not known has no edges", () => {
  assert.deepEqual(layout("something-new", members(9)).edges, []);
});

test("too many members end in a node that counts the rest, and leaders are never among the rest", () => {
  const { nodes } = layout("mesh", members(100, { 99: "coordinator" }));
  assert.equal(nodes.length, MOST_NODES);
  assert.equal(nodes.at(-1)?.more, 41);
  assert.equal(nodes.at(-1)?.member, null);
  assert.equal(nodes[0].member?.agentId, "a99");
});

test("members without a role are drawn like others", () => {
  const { nodes } = layout("mesh", [{ agentId: "a", role: null }, { agentId: "b" }]);
  assert.equal(nodes.length, 2);
});

test("the room for names is that of the nearest two at the same height", () => {
  assert.equal(roomOf([[0, 0], [50, 5], [70, 200], [100, 8]], 16), 50);
  assert.equal(roomOf([[0, 0], [5, 20]], 16), Infinity);
  assert.equal(nearness([[0, 0], [3, 4], [90, 90]]), 5);
  assert.equal(nearness([[1, 1]]), Infinity);
});
