"""What was published since the loop last turned, so that each client is written to once.

Events that go to the same receivers one after the other make a run; a run is joined once for each kind of
transport, and all its receivers share the bytes.
"""

from __future__ import annotations

from typing import Any

from .ports import Framer

__all__ = ["Run"]


class Run:
    """Consecutive events for the same receivers.

    Attributes:
        receivers: the tuple of the route they took.
        payloads: the encoded events.
        first: the `seq` of the first; 0 for ephemeral events, which have none.
        last: the `seq` of the last.
        hidden_from: the instance that does not get them, if any.
    """

    __slots__ = ("_blocks", "first", "hidden_from", "last", "payloads", "receivers", "size")

    def __init__(self, receivers: tuple[Any, ...], first: int, hidden_from: str | None) -> None:
        self.receivers = receivers
        self.payloads: list[bytes] = []
        self.first = first
        self.last = first
        self.size = 0
        self.hidden_from = hidden_from
        self._blocks: list[tuple[Framer, Any]] = []

    def block(self, framer: Framer) -> Any:
        """The events as this kind of transport writes them, made once."""
        for known, block in self._blocks:
            if known is framer:
                return block
        block = framer.join(self.payloads)
        self._blocks.append((framer, block))
        return block
