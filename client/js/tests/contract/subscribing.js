import { check, equal, numbers, rejected, soon, subscribed, take, takeData } from "./expect.js";

/** @typedef {import("../../src/swarmwire.js").Client} Client */

/**
 * Publish numbers, each on a topic of its own or on one.
 * @param {Client} client
 * @param {(number: number) => string} topic
 * @param {number} count
 */
async function publishNumbers(client, topic, count) {
  await Promise.all(numbers(count).map((number) => client.publish(topic(number), number)));
}

/** @type {import("./cases.js").Case[]} */
export const subscribing = [
  {
    name: "a subscription from now gets what is published after it, and nothing older",
    async run(t) {
      const client = await t.connect();
      await client.publish(t.topic("now"), "before");
      const { items, subscription } = await subscribed(client, t.topic("now"));
      await client.publish(t.topic("now"), "after", { headers: { kind: "test" } });
      const [event] = await take(items, 1);
      equal(event.data, "after");
      equal(event.headers, { kind: "test" });
      equal(event.topic, t.topic("now"));
      check(event.seq > 0 && Math.abs(event.ts - Date.now()) < 60_000, "an event has its place and time");
      equal(event.cursor.split(":")[1], String(event.seq));
      check(subscription.cursor !== null, "its place is known");
    },
  },
  {
    name: "a subscription from the start replays the log, then is live",
    async run(t) {
      const client = await t.connect();
      await publishNumbers(client, () => t.topic("start"), 5);
      const { items } = await subscribed(client, t.topic("start"), { from: "start", live: true });
      equal(await takeData(items, 5), numbers(5));
      const [live] = await take(items, 1);
      equal(live.constructor.name, "Live");
      await client.publish(t.topic("start"), "live");
      equal(await takeData(items, 1), ["live"]);
    },
  },
  {
    name: "a subscription begins after a cursor, at a time, or with the last events",
    async run(t) {
      const client = await t.connect();
      await publishNumbers(client, () => t.topic("places"), 6);
      const all = await subscribed(client, t.topic("places"), { from: "start" });
      const events = await take(all.items, 6);
      const after = await subscribed(client, t.topic("places"), { from: { cursor: events[3].cursor } });
      equal(await takeData(after.items, 2), [4, 5]);
      const last = await subscribed(client, t.topic("places"), { from: { last: 3 } });
      equal(await takeData(last.items, 3), [3, 4, 5]);
      const since = await subscribed(client, t.topic("places"), { from: { sinceMs: events[0].ts } });
      equal((await takeData(since.items, 6)).length, 6);
    },
  },
  {
    name: "a snapshot has the last event of each topic, without the cleared ones",
    async run(t) {
      const client = await t.connect();
      for (const value of ["old", "new"]) {
        await client.publish(t.topic("snap.a"), value);
        await client.publish(t.topic("snap.b"), value);
      }
      await client.publish(t.topic("snap.b"), "gone", { clear: true });
      await client.publish(t.topic("snap.c"), "only");
      const { items } = await subscribed(client, t.topic("snap.*"), { from: "latest", live: true });
      const [a, c, live] = await take(items, 3);
      equal([a.data, c.data, live.constructor.name], ["new", "only", "Live"]);
      await client.publish(t.topic("snap.d"), "later");
      equal(await takeData(items, 1), ["later"]);
    },
  },
  {
    name: "patterns choose topics",
    async run(t) {
      const client = await t.connect();
      const one = await subscribed(client, t.topic("p.*.status"));
      const any = await subscribed(client, t.topic("p.#"));
      const exact = await subscribed(client, t.topic("p.a.status"));
      for (const topic of ["p", "p.a.status", "p.a.b.status", "p.b.status", "p.a*"]) {
        await client.publish(t.topic(topic), topic);
      }
      equal(await takeData(one.items, 2), ["p.a.status", "p.b.status"]);
      equal(await takeData(any.items, 5), ["p", "p.a.status", "p.a.b.status", "p.b.status", "p.a*"]);
      equal(await takeData(exact.items, 1), ["p.a.status"]);
    },
  },
  {
    name: "a pattern that is none is refused, and so is one without permission",
    broker: { login: true },
    async run(t) {
      const permissions = { publish: [], subscribe: ["allowed.#"], call: [] };
      const client = await t.connect({ token: await t.token({ permissions }) });
      await rejected(subscribed(client, "denied.topic"), "PERMISSION_DENIED");
      await rejected(
        (async () => subscribed(client, "allowed..topic"))(),
        "INVALID_TOPIC",
      );
      await subscribed(client, "allowed.topic");
    },
  },
  {
    name: "a conflating subscription loses no count of what it leaves out",
    async run(t) {
      const client = await t.connect();
      const { items } = await subscribed(client, t.topic("fast"), { conflateMs: 100 });
      await publishNumbers(client, () => t.topic("fast"), 50);
      let counted = 0;
      let event;
      do {
        [event] = await take(items, 1);
        counted += 1 + event.skipped;
      } while (event.data !== 49);
      equal(counted, 50);
    },
  },
  {
    name: "a subscription that drops the oldest says how many",
    broker: { settings: { "limits.outbox_bytes": 20_000 } },
    async run(t) {
      const client = await t.connect();
      const options = { mode: "drop_oldest", buffer: 10, gaps: true };
      const { items } = await subscribed(client, t.topic("drop"), options);
      await publishNumbers(client, () => t.topic("drop"), 200);
      await client.publish(t.topic("drop"), "last");
      let seen = 0;
      let dropped = 0;
      for (let last = false; !last; ) {
        const [item] = await take(items, 1);
        if (item.reason === "overflow") dropped += item.dropped;
        else seen += 1;
        last = item.data === "last";
      }
      equal(seen + dropped, 201);
      check(dropped > 0, "more came than were kept");
    },
  },
  {
    name: "a slow reader gets every event, later",
    async run(t) {
      const client = await t.connect();
      const { items } = await subscribed(client, t.topic("slow"), { buffer: 8 });
      await publishNumbers(client, () => t.topic("slow"), 300);
      equal(await takeData(items, 300), numbers(300));
      await client.publish(t.topic("slow"), "live again");
      equal(await takeData(items, 1), ["live again"]);
    },
  },
  {
    name: "a callback is called for each event until it is taken back",
    async run(t) {
      const client = await t.connect();
      /** @type {unknown[]} */
      const seen = [];
      /** @type {(value?: unknown) => void} */
      let third = () => {};
      const thirdCame = new Promise((resolve) => (third = resolve));
      const stop = client.on(t.topic("cb"), ({ data }) => {
        seen.push(data);
        if (data === 2) third();
      }, { from: "start" });
      await publishNumbers(client, () => t.topic("cb"), 3);
      await soon(thirdCame, "the third event");
      equal(seen, [0, 1, 2]);
      await stop();
      await client.publish(t.topic("cb"), "after");
      const { items } = await subscribed(client, t.topic("cb"), { from: { last: 1 } });
      equal(await takeData(items, 1), ["after"]);
      equal(seen, [0, 1, 2]);
    },
  },
  {
    name: "a subscription that is closed ends its iterators and nothing else",
    async run(t) {
      const client = await t.connect();
      const first = await subscribed(client, t.topic("twice"));
      const second = await subscribed(client, t.topic("twice"));
      const waiting = first.items.next();
      await first.subscription.close();
      await first.subscription.close();
      equal((await soon(waiting, "the end")).done, true);
      equal((await soon(first.items.next(), "the end")).done, true);
      await client.publish(t.topic("twice"), "still");
      equal(await takeData(second.items, 1), ["still"]);
    },
  },
  {
    name: "leaving a loop ends its subscription",
    async run(t) {
      const client = await t.connect();
      await publishNumbers(client, () => t.topic("loop"), 3);
      const subscription = client.subscribe(t.topic("loop"), { from: "start" });
      const seen = [];
      for await (const { data } of subscription) {
        seen.push(data);
        if (data === 1) break;
      }
      equal(seen, [0, 1]);
      equal((await soon(subscription[Symbol.asyncIterator]().next(), "the end")).done, true);
    },
  },
  {
    name: "an aborted signal ends a subscription",
    async run(t) {
      const client = await t.connect();
      const abort = new AbortController();
      const { items } = await subscribed(client, t.topic("signal"), { signal: abort.signal });
      const waiting = items.next();
      abort.abort();
      equal((await soon(waiting, "the end")).done, true);
    },
  },
];
