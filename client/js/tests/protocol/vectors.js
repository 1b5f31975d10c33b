import { readFileSync } from "node:fs";

const directory = new URL("../../../../protocol/spec/vectors/", import.meta.url);

/** The cases of a file of test data that all implementations of the protocol share. */
export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, directory), "utf8"));
}
