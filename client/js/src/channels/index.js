/** Checked events of agents, tasks and swarms, over anything that can publish and subscribe. */

export { AgentChannel } from "./agent.js";
export { readChange } from "./change.js";
export { Changes } from "./changes.js";
export { faultOf } from "./record.js";
export { SwarmChannel } from "./swarm.js";
export { TaskChannel } from "./task.js";
export {
  agentPattern,
  agentTopic,
  parseTopic,
  swarmPattern,
  swarmTopic,
  taskPattern,
  taskTopic,
} from "./topics.js";
