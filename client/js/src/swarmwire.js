/** The SDK of Swarmwire for JavaScript: `import { connect } from "./swarmwire.js"`. */

export { CallError } from "./callrecord.js";
export { AgentChannel, SwarmChannel, TaskChannel } from "./channels/index.js";
export { Client } from "./client.js";
export { connect } from "./connect.js";
export { CLIENT_EVENTS } from "./emitter.js";
export { Event, Gap, Live } from "./events.js";
export { CLOSES, Disconnected, ERRORS, QueueFull, SwarmwireError } from "./protocol/errors.js";
export {
  checkPattern,
  checkTopic,
  contains,
  decodeSegment,
  encodeSegment,
  matcher,
  matches,
} from "./protocol/topics.js";
export { Subscription } from "./subscription.js";
export { VERSION } from "./version.js";
