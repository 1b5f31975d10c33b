// Headers as they are typed: one a line.

const HEADER = /^\s*([^:\s][^:]*?)\s*:\s*(.*?)\s*$/;

/**
 * @param {string} text
 * @returns {{headers: Record<string, string>, fault: string}} `fault` is a sentence, empty where all is right
 */
export function headersOf(text) {
  /** @type {Map<string, string>} */
  const headers = new Map();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      return wrong(`Line ${index + 1}: a name, a colon and a value are expected, not "${line}".`);
    }
    if (headers.has(name)) return wrong(`Line ${index + 1}: the header "${name}" stands there twice.`);
    headers.set(name, value);
  }
  return { headers: Object.fromEntries(headers), fault: "" };
}

/** @param {string} fault */
function wrong(fault) {
  return { headers: {}, fault };
}
