"""A connection that leads to a bus in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from ..connection import Closed
from ..loss import ABNORMAL
from .broker import MemoryBroker
from .peer import MemoryPeer

__all__ = ["MemoryConnection"]

_BURST: Final = 256
"""Messages that are taken in one turn of the loop before it is somebody else's."""


class MemoryConnection:
    """See `Connection` for what its methods promise."""

    def __init__(self, name: str) -> None:
        self.heard = self.spoke = 0.0
        self.on_writable: Callable[[], None] = _nothing
        self._name = name
        self._broker: MemoryBroker | None = None
        self._news = asyncio.Event()
        self._sent = 0

    @property
    def writable(self) -> bool:
        return self._sent < _BURST

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._peer = MemoryPeer(self._wake, self._later)
        broker = MemoryBroker.find(self._name)
        broker.join(self._peer)
        self._broker = broker

    def send(self, payload: bytes) -> None:
        if self._broker is None:
            return
        if not self._sent:
            self._loop.call_soon(self._turned)
        self._sent += 1
        self._broker.take(self._peer, payload)

    async def receive(self) -> list[bytes]:
        while self._broker is not None:
            self._news.clear()
            with self._broker.lock:
                batch, closed = self._peer.take(), self._peer.closed
            if batch:
                return batch
            if closed is not None:
                raise closed
            await self._news.wait()
        raise Closed(ABNORMAL, "")

    async def close(self, code: int, reason: str) -> None:
        self.abort()

    def abort(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            broker.leave(self._peer)
        self._news.set()

    # ---- Inside

    def _turned(self) -> None:
        self._sent = 0
        self.on_writable()

    def _wake(self) -> None:
        # The other side may live in another thread, and outlive this loop.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._locked, callback)

    def _locked(self, callback: Callable[[], None]) -> None:
        if self._broker is not None:
            with self._broker.lock:
                callback()


def _nothing() -> None:
    """Until someone wants to know."""
