"""A client of a bus in memory, as the bus sees it: what it reads, and what waits for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.messages import BrokerMessage, Error, Event, RequestId

from ..connection import Closed
from .reader import ConflatingReader, MemoryReader

__all__ = ["MemoryPeer"]

_ROOM: Final = 256
"""Messages that wait for a client before its events are left in the log."""


class MemoryPeer:
    """One connection. All of it is called under the lock of its bus, from any thread.

    `wake` says that there is something to take; `later` calls a function, under the lock, after so many seconds. Both
    may be called from any thread.
    """

    def __init__(self, wake: Callable[[], None], later: Callable[[float, Callable[[], None]], None]) -> None:
        self.client_id = secrets.token_hex(6)
        self.subject = f"anonymous:{self.client_id}"
        self.instance: str | None = None
        self.readers: dict[str, MemoryReader] = {}
        self.closed: Closed | None = None
        self._wake = wake
        self.later = later
        self._waiting: list[bytes] = []
        self._ticking: set[ConflatingReader] = set()

    def tell(self, message: BrokerMessage) -> None:
        """Add a message behind those that wait."""
        self._waiting.append(encode(message))
        self._wake()

    def refuse(self, error: SwarmwireError, request_id: RequestId | None) -> None:
        """Answer a request with an error."""
        self.tell(Error(id=request_id, code=error.code, message=error.message, field=error.field))

    def end(self, code: int, reason: str) -> None:
        """Nothing more comes, behind what waits. The first reason counts."""
        if self.closed is None:
            self.closed = Closed(code, reason)
            self._wake()

    def take(self) -> list[bytes]:
        """All that waits; there is room again for what was left in the log."""
        self.fill()
        taken, self._waiting = self._waiting, []
        return taken

    def fill(self) -> None:
        """Read the log for every subscription, as far as there is room."""
        for reader in tuple(self.readers.values()):
            room = _ROOM - len(self._waiting)
            if room > 0:
                for message in reader.read(room):
                    self.tell(message)
            self._tick(reader)

    def ephemeral(self, event: Event, hidden_from: str | None) -> None:
        """Hand an event that is live only to the subscriptions that have read all before it."""
        for reader in self.readers.values():
            named = reader.ephemeral(event, hidden_from)
            if named is not None and len(self._waiting) < _ROOM:
                self.tell(named)
            self._tick(reader)

    def _tick(self, reader: MemoryReader) -> None:
        if isinstance(reader, ConflatingReader) and reader.waits and reader not in self._ticking:
            self._ticking.add(reader)
            self.later(reader.conflate_ms / 1000, partial(self._ticked, reader))

    def _ticked(self, reader: ConflatingReader) -> None:
        self._ticking.discard(reader)
        reader.tick()
        self.fill()
