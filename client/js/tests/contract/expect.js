/** What the cases of the contract expect; it runs in browsers too, so it needs no library. */

const PATIENCE_MS = 20_000;

/** @typedef {import("../../src/swarmwire.js").Client} Client */
/** @typedef {import("../../src/swarmwire.js").Subscription} Subscription */

/**
 * @param {boolean} condition
 * @param {string} sentence what is not as it should be
 */
export function check(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

/**
 * Both are the same JSON, whatever the order of fields.
 * @param {unknown} actual
 * @param {unknown} expected
 * @param {string} [what]
 */
export function equal(actual, expected, what = "") {
  const [came, wanted] = [shown(actual), shown(expected)];
  check(came === wanted, `${what} expected ${wanted}, got ${came}`);
}

/**
 * The promise is rejected, and with this code.
 * @param {Promise<unknown>} promise
 * @param {string} code
 * @returns {Promise<any>} the error
 */
export async function rejected(promise, code) {
  const outcome = await soon(
    promise.then(
      (value) => ({ value }),
      (error) => ({ error }),
    ),
    `the refusal ${code}`,
  );
  if (!("error" in outcome)) throw new Error(`expected ${code}, got ${shown(outcome.value)}`);
  check(outcome.error.code === code, `expected ${code}, got ${outcome.error.code}: ${outcome.error.stack}`);
  return outcome.error;
}

/**
 * The promise, unless it takes too long.
 * @template T
 * @param {PromiseLike<T>} promise
 * @param {string} what is waited for
 * @returns {Promise<T>}
 */
export async function soon(promise, what) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  try {
    return await /** @type {Promise<T>} */ (Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The next items of a subscription.
 * @param {AsyncIterator<any>} items
 * @param {number} count
 * @returns {Promise<any[]>}
 */
export async function take(items, count) {
  const taken = [];
  while (taken.length < count) {
    const step = await soon(items.next(), `item ${taken.length + 1} of ${count} after ${shown(taken)}`);
    if (step.done) throw new Error(`the iterator ended after ${taken.length} of ${count}: ${shown(taken)}`);
    taken.push(step.value);
  }
  return taken;
}

/**
 * The data of the next events.
 * @param {AsyncIterator<any>} items
 * @param {number} count
 */
export async function takeData(items, count) {
  return (await take(items, count)).map(({ data }) => data);
}

/**
 * A subscription that the broker has acknowledged, and its iterator.
 * @param {Client} client
 * @param {string} pattern
 * @param {object} [options]
 */
export async function subscribed(client, pattern, options) {
  const subscription = client.subscribe(pattern, options);
  await soon(subscription.ready, `the subscription to ${pattern}`);
  return { subscription, items: subscription[Symbol.asyncIterator]() };
}

/**
 * The next event of the client itself that is called so.
 * @param {Client} client
 * @param {any} name
 * @returns {Promise<any>}
 */
export function next(client, name) {
  const told = new Promise((resolve) => {
    const stop = client.listen(name, (/** @type {unknown} */ detail) => {
      stop();
      resolve(detail);
    });
  });
  return soon(told, `the client's event ${name}`);
}

/**
 * All of these numbers, once each and in order.
 * @param {number} count
 */
export function numbers(count) {
  return Array.from({ length: count }, (_, index) => index);
}

/** @param {unknown} value */
function shown(value) {
  const sorted = (/** @type {string} */ _, /** @type {any} */ each) =>
    each === null || typeof each !== "object" || Array.isArray(each)
      ? each
      : Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify(value, sorted) ?? String(value);
}
