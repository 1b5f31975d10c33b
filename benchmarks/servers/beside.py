"""Start servers that another one needs, wait until they listen, and become that other one.

    beside.py PORT COMMAND... -- PORT COMMAND... -- COMMAND...

Each part begins with the port by which one tells that it listens; the last is what this process becomes. So the others
are its children, and are ended with its group.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress

__all__ = ["main"]

_TIMEOUT = 15.0


def main() -> None:
    *others, last = _parts(sys.argv[1:])
    for port, *command in others:
        _wait_for(subprocess.Popen(command, stdin=subprocess.DEVNULL), int(port))
    os.execvp(last[0], last)


def _parts(arguments: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in arguments:
        if word == "--":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    sys.exit(f"nothing listens at {port}")


if __name__ == "__main__":
    main()
