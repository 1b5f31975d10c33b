/** Whether this is Node, with its files and sockets; else it is taken for a browser. */
export function isNode() {
  return globalThis.process?.versions?.node !== undefined;
}
