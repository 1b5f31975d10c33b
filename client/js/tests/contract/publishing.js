import { check, equal, next, numbers, rejected, soon, subscribed, take, takeData } from "./expect.js";

const QUICK = { baseDelayMs: 20, maxDelayMs: 200 };
const MANY = 300;

/** @type {import("./cases.js").Case[]} */
export const publishing = [
  {
    name: "a publish tells its place in the log",
    async run(t) {
      const client = await t.connect();
      const first = await client.publish(t.topic("place"), null);
      const second = await client.publish(t.topic("place"), { deep: [1, { x: "ü" }] });
      check(second.seq > first.seq, `expected a place behind ${first.seq}, got ${second.seq}`);
      equal(first.duplicate ?? false, false);
    },
  },
  {
    name: "a key is published once",
    async run(t) {
      const client = await t.connect();
      const first = await client.publish(t.topic("key"), 1, { key: "once" });
      const again = await client.publish(t.topic("key"), 1, { key: "once" });
      equal([again.seq, again.duplicate], [first.seq, true]);
      const { items } = await subscribed(client, t.topic("key"), { from: "start", live: true });
      const [event, live] = await take(items, 2);
      equal([event.data, live.constructor.name], [1, "Live"]);
    },
  },
  {
    name: "what is sent without waiting keeps its order",
    async run(t) {
      const client = await t.connect();
      const { items } = await subscribed(client, t.topic("order"));
      const published = numbers(MANY).map((number) => client.publish(t.topic("order"), number));
      const places = (await soon(Promise.all(published), "the acks")).map(({ seq }) => seq);
      check(places.every((seq, index) => index === 0 || seq > places[index - 1]), "places rise");
      equal(await takeData(items, MANY), numbers(MANY));
    },
  },
  {
    name: "of what is published over a killed broker nothing is lost and nothing is doubled",
    broker: { own: true, data: true },
    async run(t) {
      const [reader, writer] = [await t.connect(QUICK), await t.connect(QUICK)];
      const { items } = await subscribed(reader, t.topic("exactly"), { gaps: true });
      const published = numbers(MANY).map(async (number) => {
        await new Promise((resolve) => setTimeout(resolve, number));
        return writer.publish(t.topic("exactly"), number);
      });
      const taken = take(items, MANY);
      await published[50];
      for (const round of [1, 2]) {
        await t.broker.kill();
        await t.broker.start();
        await published[100 * round];
      }
      const acked = (await soon(Promise.all(published), "the acks")).map(({ seq }) => seq);
      equal(new Set(acked).size, MANY);
      const events = await taken;
      equal(events.map(({ data }) => data).sort((a, b) => a - b), numbers(MANY));
      await writer.publish(t.topic("exactly"), "end");
      equal(await takeData(items, 1), ["end"]);
    },
  },
  {
    name: "what is published without a broker waits in a queue of a known size",
    broker: { own: true, data: true },
    async run(t) {
      const client = await t.connect({ ...QUICK, offlineQueue: 5 });
      const { items } = await subscribed(client, t.topic("offline"), { from: "start" });
      const lost = next(client, "disconnected");
      await t.broker.kill();
      await lost;
      const waiting = numbers(5).map((number) => client.publish(t.topic("offline"), number));
      const error = await rejected(client.publish(t.topic("offline"), "too much"), "LIMIT_EXCEEDED");
      equal(error.name, "QueueFull");
      await t.broker.start();
      await soon(Promise.all(waiting), "the queue to be published");
      equal(await takeData(items, 5), numbers(5));
      equal((await client.publish(t.topic("offline"), 5)).duplicate ?? false, false);
    },
  },
  {
    name: "ephemeral events have no place, and a publisher may spare itself its own",
    async run(t) {
      const [sender, reader] = [await t.connect(), await t.connect()];
      const own = await subscribed(sender, t.topic("spare"));
      const others = await subscribed(reader, t.topic("spare"));
      await sender.publish(t.topic("spare"), "unheard", { echo: false });
      const answer = await sender.publish(t.topic("spare"), "passing", { ephemeral: true });
      equal(answer.seq ?? null, null);
      await sender.publish(t.topic("spare"), "end");
      const seen = await take(others.items, 3);
      equal(
        seen.map(({ data, seq }) => [data, seq === null]),
        [
          ["unheard", false],
          ["passing", true],
          ["end", false],
        ],
      );
      const mine = await takeData(own.items, 2);
      equal(mine, ["passing", "end"]);
    },
  },
  {
    name: "what the broker does not take is refused, and the connection goes on",
    broker: { login: true },
    async run(t) {
      const permissions = { publish: [t.topic("mine.#")], subscribe: [], call: [] };
      const client = await t.connect({ token: await t.token({ permissions }) });
      await rejected(client.publish(t.topic("yours"), 1), "PERMISSION_DENIED");
      await rejected(client.publish("no..topic", 1), "INVALID_TOPIC");
      await rejected(client.publish(t.topic("mine.a"), undefined), "INVALID_MESSAGE");
      check((await client.publish(t.topic("mine.a"), 1)).seq > 0, "it is still connected");
    },
  },
  {
    name: "an event over the broker's limit is refused, and the connection goes on",
    broker: { settings: { "limits.max_message_bytes": 10_000 } },
    async run(t) {
      const client = await t.connect();
      const { id } = client;
      await rejected(client.publish(t.topic("big"), "x".repeat(20_000)), "MESSAGE_TOO_LARGE");
      await rejected(client.publish(t.topic("big"), "ü".repeat(6_000)), "MESSAGE_TOO_LARGE");
      const { items } = await subscribed(client, t.topic("big"));
      await client.publish(t.topic("big"), "x".repeat(9_000));
      equal((await takeData(items, 1))[0].length, 9_000);
      equal(client.id, id);
    },
  },
];
