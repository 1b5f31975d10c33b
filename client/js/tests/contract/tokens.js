import { check, equal, next, rejected, soon, subscribed, takeData } from "./expect.js";

/** @type {import("./cases.js").Case[]} */
export const tokens = [
  {
    name: "a token is renewed on the live connection before it expires",
    broker: { login: true },
    async run(t) {
      let made = 0;
      const token = () => {
        made += 1;
        return t.token({ sub: "renewer", lifeMs: made === 1 ? 5000 : 60_000 });
      };
      const client = await t.connect({ token });
      const { id } = client;
      const { items } = await subscribed(client, t.topic("renewed"));
      let losses = 0;
      client.listen("disconnected", () => (losses += 1));
      await soon(passed(client.identity?.expires_at ?? 0), "the end of the first token");
      await client.publish(t.topic("renewed"), "still here");
      equal(await takeData(items, 1), ["still here"]);
      equal([made, losses, client.id === id], [2, 0, true]);
    },
  },
  {
    name: "a token that expires ends the client for good, if there is no other",
    broker: { login: true },
    async run(t) {
      const client = await t.connect({ token: await t.token({ lifeMs: 4000 }) });
      const { items } = await subscribed(client, t.topic("expired"));
      const failed = next(client, "state");
      await rejected(items.next(), "TOKEN_EXPIRED");
      equal((await failed).state, "failed");
      await rejected(client.publish(t.topic("expired"), 1), "TOKEN_EXPIRED");
    },
  },
  {
    name: "authenticate changes the login, to one of the same subject",
    broker: { login: true },
    async run(t) {
      const client = await t.connect({ token: await t.token({ sub: "same" }) });
      const { items } = await subscribed(client, t.topic("auth"));
      await client.authenticate(await t.token({ sub: "same", lifeMs: 120_000 }));
      const error = await rejected(client.authenticate(await t.token({ sub: "other" })), "PERMISSION_DENIED");
      equal(error.field, "token");
      await rejected(client.authenticate("nonsense"), "AUTHENTICATION_FAILED");
      await client.publish(t.topic("auth"), "goes on");
      equal(await takeData(items, 1), ["goes on"]);
      check(client.isReady, "a refused token does not end the connection");
    },
  },
];

/** @param {number} time in milliseconds since 1970 */
async function passed(time) {
  check(time > Date.now(), "the token says when it expires");
  await new Promise((resolve) => setTimeout(resolve, time - Date.now() + 100));
}
