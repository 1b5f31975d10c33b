/** What users in TypeScript write: it is compiled by `npm run check`, and never run. */

import {
  AgentChannel,
  SwarmChannel,
  SwarmwireError,
  TaskChannel,
  connect,
  matches,
} from "../src/swarmwire.js";
import { parseTopic } from "../src/channels/index.js";
import { decode, encode } from "../src/protocol/index.js";

const client = await connect("ws://127.0.0.1:8765/ws");

for await (const event of client.subscribe("agent.#")) {
  const topic: string = event.topic;
  const seq: number | null = event.seq;
  console.log(topic, seq);
}

const agents = new AgentChannel(client);
await agents.status("a1", "busy", "reading", { metadata: { by: "me" }, key: "k" });
await agents.publish("status", { agentId: "a1", status: "idle" });
// @ts-expect-error there is no such status
await agents.status("a1", "asleep");
// @ts-expect-error a status needs its agent
await agents.publish("status", { status: "idle" });
// @ts-expect-error an agent has no such event
agents.watch("a1", { events: ["progress"] });

for await (const change of agents.watch("a1", { events: ["status"], from: "latest" })) {
  const sender: string | null = change.raw.sender;
  console.log(change.id, change.record.agentId, sender);
}

const remove = agents.on("status", ({ record }) => {
  const status: "idle" | "busy" | "error" | "offline" = record.status;
  console.log(status);
});
await remove.ready;
remove();

const end = await new TaskChannel(client).waitForCompletion("t1", { timeoutMs: 5 });
if (end.status === "failed") {
  const message: string = end.error.message;
  console.log(message);
}

const standing = await new SwarmChannel(client).propose("s1", {}, { quorum: { share: 0.5 } });
const votes: number = standing.votesFor;

const message = decode("{}");
if (message.type === "event") {
  console.log(message.topic);
}
encode({ type: "ping" });
// @ts-expect-error a publish has a topic
encode({ type: "publish", data: 1 });

const retryAfterMs: number | undefined = new SwarmwireError("FENCED").retryAfterMs;
console.log(parseTopic("agent.a1.status")?.id, votes, retryAfterMs, matches("a", "b"));
