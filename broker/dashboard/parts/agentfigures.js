// How the figures of an agent's health are written.

/**
 * @param {number | null} cpu in percent
 */
export function cpuText(cpu) {
  return cpu === null ? "–" : `${Math.round(cpu)} %`;
}

/**
 * Agents tell bytes, or a share in percent: nobody runs in 100 bytes.
 *
 * @param {number | null} memory
 * @param {Pick<typeof import("../format.js"), "bytes">} format
 */
export function memoryText(memory, format) {
  if (memory === null) return "–";
  return memory <= 100 ? `${Math.round(memory)} %` : format.bytes(memory);
}
