/** The slices that the page may ask for: where each comes from, and when it may be another one. */

import { connectionStatus } from "./status.js";

/** @typedef {import("./frames.js").Sections} Sections */
/**
 * Where slices come from.
 * @typedef {object} Sources
 * @property {import("./intake.js").Intake} intake
 * @property {import("./session.js").Session} session
 * @property {import("./overview.js").Overview} overview
 * @property {import("./clientlist.js").ClientList} clients
 * @property {import("./workload.js").Workload} workload
 * @property {import("./tailing.js").Tailing} tail
 */

/** A list that is behind is told again so soon, whether or not anything comes. */
const BEHIND_MS = 250;
/** How often what changes with the time alone is told. */
const STATUS_MS = 500;
const FIGURES_MS = 1000;

/**
 * @param {Sources} sources
 * @param {{now: () => number}} clock
 * @returns {Sections}
 */
export function sectionsOf(sources, clock) {
  const { intake, session, overview, clients, workload, tail } = sources;
  const steps = (/** @type {number} */ length) => Math.floor(clock.now() / length);
  const ofList = (/** @type {{isBehind: boolean}} */ list, /** @type {number} */ revision) =>
    intake.revisionOf(revision + (list.isBehind ? steps(BEHIND_MS) : 0));
  const ofTopics = () => ofList(intake.model.list, intake.model.list.revision);
  return {
    status: {
      revision: () => intake.news + session.revision + steps(STATUS_MS),
      build: (_, nowMs) => statusOf(sources, nowMs),
    },
    overview: {
      revision: () => steps(FIGURES_MS),
      build: (_, nowMs) => overview.slice(intake.model, nowMs),
    },
    topics: { revision: ofTopics, build: (query, nowMs) => intake.model.list.topics(query, nowMs) },
    topic: { revision: ofTopics, build: (query, nowMs) => intake.model.list.topic(query, nowMs) },
    agents: {
      revision: () => ofList(intake.model.agents, intake.model.agents.revision),
      build: (query, nowMs) => intake.model.agents.slice(query, nowMs),
    },
    tasks: {
      revision: () => ofList(intake.model.tasks, intake.model.tasks.revision + workload.revision),
      build: (query, nowMs) => tasksOf(sources, query, nowMs),
    },
    swarms: {
      revision: () => intake.revisionOf(intake.model.swarms.revision + intake.model.agents.revision),
      build: (query) => intake.model.swarms.slice(query),
    },
    clients: {
      revision: () => clients.revision + steps(FIGURES_MS),
      build: (query, nowMs) => clients.slice(query, nowMs),
    },
    tail: { revision: () => tail.revision, build: (query) => tail.slice(query, intake.head) },
  };
}

/**
 * @param {Sources} sources
 * @param {import("./slices.js").TasksQuery} query
 * @param {number} nowMs
 * @returns {import("./slices.js").TasksSlice}
 */
function tasksOf({ intake, workload: { queues, workers, denied } }, query, nowMs) {
  return { ...intake.model.tasks.slice(query, nowMs), queues, workers, denied };
}

/** @param {Sources} sources @param {number} nowMs @returns {import("./slices.js").StatusSlice} */
function statusOf({ intake, session, clients }, nowMs) {
  const { model, gaps } = intake;
  return {
    ...connectionStatus(session),
    head: intake.head,
    seen: model.seen,
    rate: model.rate(nowMs),
    gaps: gaps.notes,
    gapCount: gaps.count,
    counts: { ...model.counts, clients: clients.count },
    dropped: model.dropped,
    conflateMs: intake.conflateMs,
    live: intake.isLive,
  };
}
