"""The messages that came over a connection and wait to be taken, and the end of what comes."""

from __future__ import annotations

import asyncio
from typing import Final

from .connection import Closed

__all__ = ["HIGH_WATER", "Incoming"]

HIGH_WATER: Final = 1024 * 1024
"""Bytes of messages that wait to be taken, or to be sent, before their source is asked to wait."""


class Incoming:
    """The half of a `Connection` that is heard. Its kinds call `_deliver` and `_end`, and say how a source waits."""

    def __init__(self) -> None:
        self.heard = self.spoke = 0.0
        self._messages: list[bytes] = []
        self._held = 0
        self._reader: asyncio.Future[None] | None = None
        self._closed: Closed | None = None

    async def receive(self) -> list[bytes]:
        while not self._messages:
            if self._closed is not None:
                raise self._closed
            await self._wait()
        batch, self._messages = self._messages, []
        if self._held >= HIGH_WATER and self._closed is None:
            self._go_on()
        self._held = 0
        return batch

    def _deliver(self, messages: list[bytes]) -> None:
        """Add messages; beyond the high water the source is held until all are taken."""
        self._messages += messages
        self._held += sum(map(len, messages))
        if self._messages:
            self._wake()
            if self._held >= HIGH_WATER:
                self._hold()

    def _end(self, code: int, reason: str) -> None:
        """Nothing more comes. The first reason counts."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._wake()

    async def _wait(self) -> None:
        """Wait for something to be delivered, or for the end."""
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _hold(self) -> None:
        """Let nothing more come for now; harmless twice."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Let it come again; harmless twice."""
        raise NotImplementedError
