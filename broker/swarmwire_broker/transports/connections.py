"""The open connections of one listener."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Connections"]


class Connections(set[Any]):
    """Connections put themselves in and take themselves out; each has `shutdown` and `abort`."""

    def __init__(self) -> None:
        super().__init__()
        self._emptied: asyncio.Event | None = None

    def discard(self, connection: Any) -> None:
        super().discard(connection)
        if self._emptied is not None and not self:
            self._emptied.set()

    async def closed(self) -> None:
        """Let every connection end, and wait until all have. Who waits decides for how long."""
        for connection in list(self):
            connection.shutdown()
        self._emptied = asyncio.Event()
        if self:
            await self._emptied.wait()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in list(self):
            connection.abort()
