import { existsSync, lstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";

import { SwarmwireError } from "../protocol/errors.js";

const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The URL of the Unix socket of this user's broker of this name, if there is one: none or one.
 *
 * A socket in a directory that others can write to is passed over: it could be anyone's.
 * @param {string} name
 * @returns {string[]}
 * @throws {SwarmwireError} INVALID_MESSAGE for what is no name
 */
export function localSockets(name) {
  if (!NAME.test(name)) {
    throw new SwarmwireError(
      "INVALID_MESSAGE",
      `A broker's name is 1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-", not "." or ".."; ` +
        `${JSON.stringify(name.slice(0, 100))} is none.`,
      { field: "broker" },
    );
  }
  if (process.platform === "win32") return [];
  const socket = join(runtimeDirectory(), `${name}.sock`);
  return isOurs(dirname(socket)) && existsSync(socket) ? [`unix://${encodeURI(socket)}`] : [];
}

/** Where this user's sockets are: the same place for every program of the machine. */
function runtimeDirectory() {
  const { SWARMWIRE_RUNTIME_DIR: given, XDG_RUNTIME_DIR: session = "" } = process.env;
  if (given) return resolve(given);
  if (isAbsolute(session)) return join(session, "swarmwire");
  return join(tmpdir(), `swarmwire-${process.getuid?.()}`);
}

/**
 * Whether nobody but this user (and root) can put something into this directory.
 * @param {string} directory
 */
function isOurs(directory) {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found === undefined || !found.isDirectory()) return false;
  return [process.getuid?.(), 0].includes(found.uid) && (found.mode & WRITABLE_BY_OTHERS) === 0;
}
