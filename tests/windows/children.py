"""Processes of their own, as the tests under Windows need them."""

from __future__ import annotations

import asyncio
import ctypes
import json
import subprocess
import sys
from typing import IO, Any

__all__ = ["PATIENCE", "Child", "Children", "is_wine", "url_of"]

PATIENCE = 30.0
"""Seconds after which a test has waited in vain."""


class Child:
    """A process of Python; its lines are read as they come."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-B", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    async def says(self, what: str) -> str:
        """The next line with this text in it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return await asyncio.to_thread(_find, self._process.stdout, what)

    def kill(self) -> None:
        """End it without a chance to say anything."""
        self._process.kill()

    async def ended(self) -> None:
        await asyncio.to_thread(self._process.wait, PATIENCE)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Children:
    """All that a test has started."""

    def __init__(self) -> None:
        self._all: list[Child] = []

    def python(self, *arguments: str) -> Child:
        self._all.append(Child(*arguments))
        return self._all[-1]

    async def broker(self, *arguments: str) -> Child:
        """A broker that listens; its port is a free one."""
        command = ("serve", "--port", "0", "--log-format", "json", *arguments)
        child = self.python("-m", "swarmwire_broker", *command)
        await child.says('"listening"')
        return child

    def close(self) -> None:
        for child in self._all:
            child.close()


def is_wine() -> bool:
    """Whether this Windows is wine, which lacks some of what Windows enforces."""
    windll: Any = getattr(ctypes, "WinDLL")  # noqa: B009 - other systems do not have it
    return hasattr(windll("ntdll"), "wine_get_version")


def url_of(line: str) -> str:
    """Where a broker listens, from the line in which it says so."""
    found = json.loads(line)["url"]
    assert isinstance(found, str)
    return found


def _find(stream: IO[bytes], what: str) -> str:
    lines = []
    for line in stream:
        lines.append(line.decode().rstrip())
        if what in lines[-1]:
            return lines[-1]
    raise AssertionError(f"it ended without saying {what!r}: {lines}")
