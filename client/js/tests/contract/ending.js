import { check, equal, numbers, rejected, soon, subscribed, takeData } from "./expect.js";

/** @type {import("./cases.js").Case[]} */
export const ending = [
  {
    name: "disconnect is final, and harmless twice",
    async run(t) {
      const client = await t.connect();
      const { items } = await subscribed(client, t.topic("final"));
      const waiting = items.next();
      await Promise.all([client.disconnect(), client.disconnect()]);
      equal((await soon(waiting, "the end of the subscription")).done, true);
      equal([client.state, client.isReady], ["closed", false]);
      await rejected(client.publish(t.topic("final"), 1), "UNAVAILABLE");
      await rejected(client.call("rpc.list"), "UNAVAILABLE");
      await client.disconnect();
    },
  },
  {
    name: "what was published before disconnect is published",
    async run(t) {
      const [writer, reader] = [await t.connect(), await t.connect()];
      const { items } = await subscribed(reader, t.topic("drained"));
      const published = numbers(100).map((number) => writer.publish(t.topic("drained"), number));
      await writer.disconnect();
      equal((await Promise.all(published)).length, 100);
      equal(await takeData(items, 100), numbers(100));
    },
  },
  {
    name: "without reconnect a loss is the end",
    broker: { own: true },
    async run(t) {
      const client = await t.connect({ reconnect: false });
      const { items } = await subscribed(client, t.topic("once"));
      const waiting = rejected(items.next(), "UNAVAILABLE");
      await t.broker.kill();
      await waiting;
      equal(client.state, "failed");
      check(!client.isReady, "a failed client is not ready");
    },
  },
  {
    name: "a client that is closed by an operator does not come back",
    ways: ["ws", "unix"],
    async run(t) {
      const client = await t.connect();
      const { items } = await subscribed(client, t.topic("removed"));
      const operator = await t.connect();
      const waiting = items.next().then(
        () => null,
        (error) => error,
      );
      await operator.call("client.disconnect", { client_id: client.id, reason: "enough" });
      const error = await soon(waiting, "the end");
      equal(error?.code, "PERMISSION_DENIED");
      equal(client.state, "failed");
    },
  },
];
