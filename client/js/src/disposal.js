/**
 * Let `await using` end the objects of a class, where the platform knows it.
 * @param {object} prototype that of the class
 * @param {() => Promise<unknown>} end its method that ends one
 */
export function disposeBy(prototype, end) {
  if (!Symbol.asyncDispose) return;
  Object.defineProperty(prototype, Symbol.asyncDispose, { value: end, configurable: true, writable: true });
}
