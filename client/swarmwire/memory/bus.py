"""A client that needs no broker: its events and calls stay in this process. For tests of programs, and to try out."""

from __future__ import annotations

import itertools
from typing import Final

from swarmwire_protocol.payload import decode_data
from swarmwire_protocol.places import check_name

from ..client import Client
from ..errors import ErrorCode, SwarmwireError
from ..options import Settings
from ..records import Event
from ..sync import SyncClient
from .broker import MemoryBroker

__all__ = ["MemoryBus", "SyncMemoryBus"]

_numbers: Final = itertools.count(1)


class MemoryBus(Client):
    """A client whose broker is a log in memory: `async with MemoryBus() as bus`.

    It is used as every client is, and whatever takes a client takes it: channels, handlers, calls between clients,
    `from_="latest"` and cursors. Programs that connect by themselves are given its `url`, with which they connect
    from any thread of this process, also by `connect_sync`. Everybody may do everything. Of the broker's own methods
    it has `rpc.*` alone; those of the registry, locks, tasks and the rest are METHOD_NOT_FOUND.

    Args:
        name: what its URL ends with, `memory://<name>`; by default one that is not in use.
        max_events: events that are kept, and topics whose last event is.
        queue_size: events that wait in a subscription's iterator, where it does not say.

    Raises:
        SwarmwireError: CONFLICT when there is a bus of this name; INVALID_MESSAGE for what is no name or no number.
    """

    def __init__(self, name: str | None = None, *, max_events: int = 10_000, queue_size: int = 1000) -> None:
        if max_events < 1:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, f"Expected room for at least 1 event, got {max_events}.", field="max_events"
            )
        name = f"bus-{next(_numbers)}" if name is None else check_name(name)
        super().__init__(Settings(url=f"memory://{name}", name=name, base_delay=0.0, queue_size=queue_size))
        self._bus = MemoryBroker(name, max_events)
        self._url = f"memory://{name}"

    @property
    def url(self) -> str:
        """What other clients connect to."""
        return self._url

    def events(self, pattern: str = "#") -> list[Event]:
        """What was published by anybody, matches and is still kept: for the assertions of a test."""
        with self._bus.lock:
            found = self._bus.log.events(pattern)
        return [
            Event(
                each.topic,
                decode_data(each.data),
                each.seq,
                each.ts,
                self._bus.log.cursor(each.seq or 0),
                each.from_,
                each.headers or {},
                None,
                each.clear,
            )
            for each in found
        ]

    async def disconnect(self) -> None:
        """End it for good, and for everybody who has connected to it. Harmless twice."""
        await super().disconnect()
        self._bus.close()


class SyncMemoryBus(SyncClient):
    """The blocking twin of `MemoryBus`: `with SyncMemoryBus() as bus`. Arguments and errors are the same."""

    def __init__(self, name: str | None = None, *, max_events: int = 10_000, queue_size: int = 1000) -> None:
        # A client belongs to the loop that it is made in, so it is made in that of this one's thread.
        super().__init__(lambda: MemoryBus(name, max_events=max_events, queue_size=queue_size).start())

    def events(self, pattern: str = "#") -> list[Event]:
        """What was published by anybody, matches and is still kept; see `MemoryBus.events`."""
        assert isinstance(self._client, MemoryBus)
        return self._client.events(pattern)
