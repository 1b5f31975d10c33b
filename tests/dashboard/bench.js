// @ts-check
/**
 * What the model takes: events a second, and the time of an answer to the page, with 20,000 agents and
 * 50,000 topics.
 * Run by hand: `node tests/dashboard/bench.js`.
 */

import { Model } from "../../broker/dashboard/model/model.js";
import { randomNumbers } from "./randomnumbers.js";

const AGENTS = 20000;
const OTHERS = 10000;
const EVENTS = 400000;
const TICK = 5000;
const WINDOW = { offset: 100, limit: 60 };

const random = randomNumbers(1);
const model = new Model(0);
let seq = 0;

/** @param {string} topic @param {unknown} data */
function event(topic, data) {
  seq += 1;
  return { topic, data, seq, ts: 1790000000000 + seq, sender: "bench", headers: {}, skipped: 3, clear: false };
}

/** @param {number} number */
function status(number) {
  const said = { status: random() < 0.5 ? "busy" : "idle", message: `step ${seq}` };
  return event(`agent.agent-${number}.status`, { agentId: `agent-${number}`, ...said });
}

/** @param {number} number */
function health(number) {
  const metrics = { cpu: 100 * random(), memory: 1e9 * random() };
  return event(`agent.agent-${number}.health`, { agentId: `agent-${number}`, healthy: true, metrics });
}

/** Milliseconds of the processor so far: what else runs on the machine does not count. */
function spentMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** @param {string} name @param {number} times @param {() => unknown} work */
function measure(name, times, work) {
  let worst = 0;
  const began = spentMs();
  for (let index = 0; index < times; index += 1) {
    const at = spentMs();
    work();
    worst = Math.max(worst, spentMs() - at);
  }
  const mean = (spentMs() - began) / times;
  console.log(`${name.padEnd(44)} ${mean.toFixed(3)} ms, at most ${worst.toFixed(1)} ms`);
}

for (let number = 0; number < AGENTS; number += 1) {
  model.take(status(number), false);
  model.take(health(number), false);
}
for (let number = 0; number < OTHERS; number += 1) {
  model.take(event(`app.area-${number % 400}.item-${number}.changed`, { value: number }), false);
}

let worst = 0;
let spent = 0;
for (let taken = 0; taken < EVENTS; taken += TICK) {
  const batch = Array.from({ length: TICK }, () => {
    const number = Math.floor(random() * AGENTS);
    return random() < 0.5 ? status(number) : health(number);
  });
  const at = spentMs();
  for (const each of batch) model.take(each, true);
  worst = Math.max(worst, spentMs() - at);
  spent += spentMs() - at;
}
console.log(`${model.tree.size} topics, ${model.agents.size} agents`);
console.log(`${Math.round(EVENTS / spent)} events a millisecond, ${((1000 * spent) / EVENTS).toFixed(2)} µs each`);
console.log(`a tick of 5000 events: at most ${worst.toFixed(1)} ms`);

let now = 10000;
/** @param {string} sort */
function sorted(sort) {
  model.take(status(1), true);
  return model.agents.slice({ sort, ...WINDOW }, (now += 1000));
}
/** @param {string} filter */
function filtered(filter) {
  return model.list.topics({ open, filter, ...WINDOW }, (now += 1000));
}
const open = ["agent", "app", "app.area-7"];
const sections = {
  "topics, opened, structure unchanged": () => model.list.topics({ open, ...WINDOW }, now),
  "topics, filtered anew": () => filtered(`item-${now / 1000}`),
  "topics, a pattern anew": () => filtered(`*.area-${(now / 1000) % 400}.#`),
  "agents, order cached": () => model.agents.slice({ sort: "id", selected: "agent-7", ...WINDOW }, now),
  "agents, sorted by id anew": () => sorted("id"),
  "agents, sorted by cpu anew": () => sorted("-cpu"),
  "ten busiest topics": () => model.busiest(now),
};
for (const [name, work] of Object.entries(sections)) measure(name, 50, work);

const full = new Model(0);
measure("5000 new topics of a full tree", 30, () => {
  for (let index = 0; index < 5000; index += 1) full.take(event(`new.topic.${seq}`, null), true);
});
console.log(`heap ${Math.round(process.memoryUsage().heapUsed / 2 ** 20)} MiB`);
