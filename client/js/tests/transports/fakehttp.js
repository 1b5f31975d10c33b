import { once } from "node:events";
import { createServer } from "node:http";

const WELCOME = {
  version: "1",
  client_id: "3fa85f649b1c",
  server: { id: "s", name: "swarmwire", version: "0", pid: 1, ppid: 1 },
  cursor: "00000000000000aa:5",
  heartbeat_ms: 15_000,
  limits: {},
  identity: { subject: "alice", permissions: {} },
  durability: "accepted",
};

/**
 * A broker's HTTP side as a test wants it: each route is a function of the request that a test may replace.
 * What was asked is kept in `asked`, by route.
 */
export class FakeHttp {
  asked = [];
  welcome = { ...WELCOME };
  routes = {
    healthz: (_, answer) => answer.end("ok"),
    readyz: (_, answer) => answer.end("ok"),
    "v1/hello": (_, answer) => json(answer, this.welcome),
    "v1/publish": ({ body }, answer) => {
      json(answer, { results: lines(body).map((_, index) => ({ seq: index + 1 })) });
    },
    "v1/events": (_, answer) => stream(answer, `id: ${this.welcome.cursor}\n\n`),
  };
  #server = createServer((request, answer) => void this.#take(request, answer));

  async start(t) {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    t.after(() => this.stop());
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  get server() {
    return this.#server;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** What was asked of one route. */
  of(route) {
    return this.asked.filter((each) => each.route === route);
  }

  async #take(request, answer) {
    let body = "";
    for await (const piece of request) body += piece;
    const { pathname, searchParams } = new URL(request.url, this.url);
    const query = Object.fromEntries(searchParams);
    const asked = { route: pathname.slice(1), query, headers: request.headers, body };
    this.asked.push(asked);
    const known = this.routes[asked.route];
    if (known === undefined) answer.writeHead(404).end("nothing here");
    else await known(asked, answer);
  }
}

/** Answer with JSON. */
export function json(answer, data, status = 200) {
  answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(data));
}

/** Answer with an error as a broker does. */
export function problem(answer, status, code, more = {}) {
  json(answer, { error: { code, message: `It is ${code}.`, ...more } }, status);
}

/** Begin a stream of events that stays open. */
export function stream(answer, text) {
  answer.writeHead(200, { "content-type": "text/event-stream" });
  answer.write(text);
}

export function lines(body) {
  return body.split("\n").map((line) => JSON.parse(line));
}
