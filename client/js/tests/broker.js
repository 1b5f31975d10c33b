/**
 * Real brokers for tests, each a process of its own that can be killed and started again at the same place.
 */

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const NURSERY = join(ROOT, "tests/js/nursery.py");
const SECRET = "a secret that is long enough for HS256";
const SIGKILL = 9;
const SIGTERM = 15;

/** The process that all brokers of these tests are forked off. */
export class Nursery {
  #process;
  #directory = mkdtempSync(join(tmpdir(), "sw-js-"));
  #brokers = 0;
  /** @type {Map<string, (news: any) => void>} */
  #waiting = new Map();
  #log = "";

  constructor() {
    this.#process = spawn(python(), [NURSERY], { stdio: ["pipe", "pipe", "pipe"] });
    createInterface(this.#process.stdout).on("line", (line) => this.#take(JSON.parse(line)));
    this.#process.stderr.on("data", (text) => (this.#log = (this.#log + text).slice(-10_000)));
  }

  /**
   * A broker that is made, and not yet started.
   * @param {{ data?: boolean, login?: boolean, settings?: Record<string, unknown> }} [wanted]
   */
  broker({ data = false, login = false, settings = {} } = {}) {
    this.#brokers += 1;
    const place = join(this.#directory, `b${this.#brokers}`);
    return new Broker(this, {
      port: 0,
      unix: `${place}.sock`,
      log_level: "error",
      ...(data ? { data: `${place}.data` } : {}),
      ...(login ? { "auth.jwt_secret": SECRET } : {}),
      ...settings,
    });
  }

  /** A broker at the socket where programs of this machine look for one; not yet started. */
  local() {
    return this.broker({ settings: { unix: join(this.#directory, "swarmwire.sock") } });
  }

  /**
   * Tell the process something, and wait for its answer.
   * @param {object} order
   * @param {string} answer the name of the answer, and whom it is about
   * @returns {Promise<any>}
   */
  async ask(order, answer) {
    const told = new Promise((resolve) => this.#waiting.set(answer, resolve));
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    const timer = AbortSignal.timeout(60_000);
    const late = once(timer, "abort").then(() => {
      throw new Error(`Nothing was heard of ${answer}.\n${this.#log}`);
    });
    return Promise.race([told, late]);
  }

  async close() {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** @param {any} news */
  #take(news) {
    const [what] = Object.keys(news);
    const answer = `${what} ${news[what]}`;
    this.#waiting.get(answer)?.(news);
    this.#waiting.delete(answer);
    if (what === "ended") this.#waiting.get(`listening ${news.ended}`)?.({ failed: this.#log });
  }
}

let names = 0;

/** One broker, and where it is found. */
export class Broker {
  #nursery;
  #settings;
  #name = `broker-${(names += 1)}`;
  #runs = false;

  /**
   * @param {Nursery} nursery
   * @param {Record<string, unknown>} settings
   */
  constructor(nursery, settings) {
    this.#nursery = nursery;
    this.#settings = settings;
  }

  /** Start it, again at the same place. */
  async start() {
    const order = { serve: this.#settings, as: this.#name };
    const { urls, failed } = await this.#nursery.ask(order, `listening ${this.#name}`);
    if (failed !== undefined) throw new Error(`The broker did not start.\n${failed}`);
    this.#settings.port = Number(new URL(urls[0]).port);
    this.#runs = true;
    return this;
  }

  /** End it with no word to anybody. */
  kill() {
    return this.#end(SIGKILL);
  }

  /** End it as its operator would. */
  stop() {
    return this.#end(SIGTERM);
  }

  /** @param {number} signal */
  async #end(signal) {
    if (!this.#runs) return;
    this.#runs = false;
    await this.#nursery.ask({ signal, to: this.#name }, `ended ${this.#name}`);
  }

  /** @param {string} way `ws`, `unix` or `http` */
  url(way) {
    const { port, unix } = this.#settings;
    if (way === "unix") return `unix://${unix}`;
    return way === "ws" ? `ws://127.0.0.1:${port}/ws` : `http://127.0.0.1:${port}`;
  }
}

/**
 * A token for a broker with a login.
 * @param {{ sub?: string, lifeMs?: number, permissions?: object }} [claims]
 */
export function token({ sub = "tester", lifeMs = 60_000, permissions } = {}) {
  const everything = { publish: ["#"], subscribe: ["#"], call: ["#"], admin: false };
  const exp = (Date.now() + lifeMs) / 1000;
  const parts = [{ alg: "HS256", typ: "JWT" }, { sub, exp, permissions: permissions ?? everything }];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

function python() {
  const own = join(ROOT, ".venv/bin/python");
  return process.env.PYTHON ?? (existsSync(own) ? own : "python3");
}
