"""A process that ends when the one that started it does, however that ends.

    python kept.py COMMAND...

runs a command until its own standard input ends. Whoever starts it holds the other end of that pipe, which the system
closes for a killed process too, so nothing is ever left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Self

__all__ = ["Kept"]

END_SECONDS = 10.0
"""How long a command has to end when it is told to; then it is killed."""


class Kept:
    """A running command; what it writes to stderr can be read line by line. Leaving its block ends it."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__)), *self._command),
            stdin=PIPE,
            stdout=subprocess.DEVNULL,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends its parts in the right order
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._running()
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
        await self.last_words()

    async def line(self) -> str | None:
        """The next line of its stderr; None when there will be no more."""
        stderr = self._running().stderr
        assert stderr is not None
        raw = await stderr.readline()
        return raw.decode(errors="replace").rstrip("\n") if raw else None

    async def last_words(self) -> list[str]:
        """Wait for its end; returns the lines that were not read."""
        lines: list[str] = []
        while (line := await self.line()) is not None:
            lines.append(line)
        await self._running().wait()
        return lines

    def _running(self) -> Process:
        assert self._process is not None, "a Kept is started by `async with`"
        return self._process


def keep(command: list[str]) -> int:
    """Run the command until it ends, or until the standard input does; returns its exit code."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
        return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):  # sys.stdin has a lock, at which Python stumbles when it ends meanwhile
        pass
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
