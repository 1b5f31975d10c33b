/**
 * The topics of the channels: made of ids and events, and taken apart again.
 *
 * One topic an event, `agent.<id>.status`. An id may be any text: what a segment cannot hold is
 * percent-encoded, so `gpt-4.1` is `agent.gpt-4%2E1.status`. Every function but `parseTopic` throws
 * INVALID_TOPIC for an empty id, an unknown event, or a topic that would be longer than the protocol allows.
 */

import { SwarmwireError } from "../protocol/errors.js";
import { checkPattern, checkTopic, decodeSegment, encodeSegment } from "../protocol/topics.js";
import { AGENT, KINDS, SWARM, TASK } from "./table.js";

/**
 * @typedef {import("./table.js").Kind} Kind
 *
 * @typedef {object} Place what a topic of a channel says
 * @property {string} channel `agent`, `task` or `swarm`
 * @property {string} id
 * @property {string} event
 * @property {string | null} itemId the proposal or decision, where the event has one
 */

// ---- Topics

/**
 * @param {string} agentId
 * @param {string} event
 */
export function agentTopic(agentId, event) {
  return buildTopic(AGENT, agentId, event);
}

/**
 * @param {string} taskId
 * @param {string} event
 */
export function taskTopic(taskId, event) {
  return buildTopic(TASK, taskId, event);
}

/**
 * @param {string} swarmId
 * @param {string} event
 * @param {string | null} [itemId] the proposal or the decision, where the event has one
 */
export function swarmTopic(swarmId, event, itemId) {
  return buildTopic(SWARM, swarmId, event, itemId);
}

/**
 * The topic of an event of any channel.
 *
 * @param {Kind} kind
 * @param {string} id
 * @param {string} event
 * @param {string | null} [itemId]
 */
export function buildTopic(kind, id, event, itemId = null) {
  checkEvent(kind, event, itemId);
  if (kind.items.has(event) && itemId === null) {
    refuse(`The topic of ${kind.name} event ${event} needs its ${kind.items.get(event)}.`);
  }
  const segments = [kind.name, encodeSegment(id), event];
  if (itemId !== null) {
    segments.push(encodeSegment(itemId));
  }
  const topic = segments.join(".");
  checkTopic(topic);
  return topic;
}

/**
 * The ids and the event of a topic, or null if no channel publishes there. Only what the builders make is
 * parsed, so two different topics are never the same event of the same id.
 *
 * @param {string} topic
 * @returns {Place | null}
 */
export function parseTopic(topic) {
  const [channel, id, event, ...items] = topic.split(".");
  const kind = KINDS.get(channel);
  if (kind === undefined || id === undefined || event === undefined || !kind.events.has(event)) {
    return null;
  }
  if (items.length !== (kind.items.has(event) ? 1 : 0)) {
    return null;
  }
  try {
    const itemId = items.length === 0 ? null : decodeSegment(items[0]);
    return { channel, id: decodeSegment(id), event, itemId };
  } catch {
    return null;
  }
}

// ---- Patterns

/**
 * The pattern of one agent's events or, without an id, everyone's; of one event or all.
 *
 * @param {string | null} [agentId]
 * @param {string | null} [event]
 */
export function agentPattern(agentId, event) {
  return buildPattern(AGENT, agentId, event);
}

/**
 * The pattern of one task's events or, without an id, every task's; of one event or all.
 *
 * @param {string | null} [taskId]
 * @param {string | null} [event]
 */
export function taskPattern(taskId, event) {
  return buildPattern(TASK, taskId, event);
}

/**
 * The pattern of one swarm's events or, without an id, every swarm's; of one event, one item, or all.
 *
 * @param {string | null} [swarmId]
 * @param {string | null} [event]
 * @param {string | null} [itemId]
 */
export function swarmPattern(swarmId, event, itemId) {
  return buildPattern(SWARM, swarmId, event, itemId);
}

/**
 * The pattern of events of any channel; null stands for all.
 *
 * @param {Kind} kind
 * @param {string | null} [id]
 * @param {string | null} [event]
 * @param {string | null} [itemId]
 */
export function buildPattern(kind, id = null, event = null, itemId = null) {
  if (event !== null) {
    checkEvent(kind, event, itemId);
  } else if (itemId !== null && kind.items.size === 0) {
    refuse(`The topics of ${kind.name} end with the event; they have no item.`);
  }
  const pattern = [kind.name, segmentOf(id), ...eventSegments(kind, event, itemId)].join(".");
  checkPattern(pattern);
  return pattern;
}

/**
 * @param {Kind} kind
 * @param {string | null} event
 * @param {string | null} itemId
 */
function eventSegments(kind, event, itemId) {
  if (event === null && itemId === null) {
    return [kind.items.size > 0 ? "#" : "*"];
  }
  const hasItem = event === null || kind.items.has(event);
  return hasItem ? [event ?? "*", segmentOf(itemId)] : [event];
}

/** @param {string | null} id */
function segmentOf(id) {
  return id === null ? "*" : encodeSegment(id);
}

/**
 * @param {Kind} kind
 * @param {string} event
 * @param {string | null} itemId
 */
function checkEvent(kind, event, itemId) {
  if (!kind.events.has(event)) {
    const known = [...kind.events.keys()].join(", ");
    const got = JSON.stringify(String(event).slice(0, 60));
    refuse(`Expected an event of ${kind.name}, one of ${known}; got ${got}.`);
  }
  if (itemId !== null && !kind.items.has(event)) {
    refuse(`The topic of ${kind.name} event ${event} ends with the event; it has no item.`);
  }
}

/**
 * @param {string} sentence
 * @returns {never}
 */
function refuse(sentence) {
  throw new SwarmwireError("INVALID_TOPIC", sentence);
}
