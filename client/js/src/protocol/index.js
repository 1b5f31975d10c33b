/** The protocol alone, without a connection: what a client, a proxy or a test is made of. */

export { decode, encode } from "./codec.js";
export { behind, cursorOf, parseCursor } from "./cursor.js";
export { CLOSES, Disconnected, ERRORS, QueueFull, SwarmwireError, errorFrom } from "./errors.js";
export { FrameCutter, PREFACE, frame } from "./framing.js";
export { MAX_DEPTH } from "./json.js";
export {
  MAX_SEGMENTS,
  MAX_TOPIC_BYTES,
  checkPattern,
  checkTopic,
  contains,
  decodeSegment,
  encodeSegment,
  matcher,
  matches,
} from "./topics.js";
export { VERSIONS, compareVersions, parseVersion, selectVersion } from "./versions.js";
