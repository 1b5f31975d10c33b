"""An example as a user runs it: a process whose lines are read as they come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["EXAMPLES", "PATIENCE", "Program", "finished", "program"]

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 30.0


class Program:
    """A process that runs. `lines` is what was read of its output."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, pattern: str) -> re.Match[str]:
        """Read on until a line matches the whole of a pattern."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip("\n"))
                if found := re.fullmatch(pattern, self.lines[-1]):
                    return found
        raise AssertionError(f"no line was {pattern!r}: {self.lines}")

    async def interrupt(self) -> int:
        """What ctrl-c does; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return await self.end()

    async def end(self) -> int:
        """Wait for its end, and read what is left; returns the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            rest = await self.process.stdout.read()
            self.lines += rest.decode().splitlines()
            return await self.process.wait()

    def kill(self) -> None:
        """What kill -9 does."""
        self.process.kill()


@asynccontextmanager
async def program(name: str, *arguments: object, **environment: str) -> AsyncIterator[Program]:
    """Start `examples/<name>.py`; what it writes to stderr is among its lines."""
    command = (sys.executable, "-u", str(EXAMPLES / f"{name}.py"), *map(str, arguments))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **environment}
    )
    try:
        yield Program(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def finished(name: str, *arguments: object) -> tuple[int, list[str]]:
    """Run an example to its end; returns its exit code and its lines."""
    async with program(name, *arguments) as running:
        code = await running.end()
        return code, running.lines
