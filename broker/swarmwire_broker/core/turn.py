"""What was published since the loop last turned, so that each client is written to once.

Events that go to the same receivers one after the other make a run; a run is joined once for each kind of
transport, and all its receivers share the bytes.
"""

from __future__ import annotations

from typing import Any

from .ports import Framer

__all__ = ["Run", "new_run"]


class Run:
    """Consecutive events for the same receivers.

    Attributes:
        receivers: the tuple of the route they took.
        payloads: the encoded events.
        first: the `seq` of the first; 0 for ephemeral events, which have none.
        last: the `seq` of the last.
        size: the bytes of all payloads.
        hidden_from: the instance that does not get them, if any.
    """

    receivers: tuple[Any, ...]
    payloads: list[bytes]
    first: int
    last: int
    size: int
    hidden_from: str | None
    _framer: Framer | None
    _block: Any
    _others: list[tuple[Framer, Any]] | None

    __slots__ = ("_block", "_framer", "_others", "first", "hidden_from", "last", "payloads", "receivers", "size")

    def add(self, payload: bytes) -> None:
        """One more event, behind those that are there."""
        self.payloads.append(payload)
        self.size += len(payload)

    def block(self, framer: Framer) -> Any:
        """The events as this kind of transport writes them, made once."""
        if framer is self._framer:
            return self._block
        if self._framer is None:
            self._framer = framer
            self._block = framer.join(self.payloads)
            return self._block
        return self._other_block(framer)

    def _other_block(self, framer: Framer) -> Any:
        for known, block in self._others or ():
            if known is framer:
                return block
        block = framer.join(self.payloads)
        self._others = [*(self._others or ()), (framer, block)]
        return block


def new_run(receivers: tuple[Any, ...], first: int, hidden_from: str | None) -> Run:
    """A run that is still empty. A function, because compiled callers then need no Python call."""
    run = Run.__new__(Run)
    run.receivers = receivers
    run.payloads = []
    run.first = run.last = first
    run.size = 0
    run.hidden_from = hidden_from
    run._framer = None
    run._block = None
    run._others = None
    return run
