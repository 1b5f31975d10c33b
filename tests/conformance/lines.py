"""One JSON message a line over a Unix socket: what a script does, as a connection of the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from swarmwire.connection import Closed

__all__ = ["LineConnection"]

_LIMIT = 1 << 26


class LineConnection:
    """Carries messages; there is no close frame, so the code of its end is always 1006."""

    writable = True

    def __init__(self, path: Path) -> None:
        self.heard = self.spoke = 0.0
        self.on_writable: Callable[[], None] = lambda: None
        self._path = path

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(self._path, limit=_LIMIT)

    def send(self, payload: bytes) -> None:
        self._writer.write(payload + b"\n")

    async def receive(self) -> list[bytes]:
        try:
            line = await self._reader.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise Closed(1006, "The input has ended.")
        return [line]

    async def close(self, code: int, reason: str) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()
