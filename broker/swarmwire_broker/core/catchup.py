"""Everybody who reads from the log, in turn: together they take one bounded page per turn of the loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..engines.base import PageLimit
from .ports import Clock
from .settings import Limits

if TYPE_CHECKING:
    from .outbox import Outbox
    from .reader import Reader

__all__ = ["ROOM_RETRY", "CatchUp"]

ROOM_RETRY = 0.05
"""Seconds after which a client that must wait for others' outboxes is looked at again."""


class CatchUp:
    """Round robin over readers. A reader whose client has no room waits until it has."""

    def __init__(
        self, limits: Limits, clock: Clock, settle: Callable[[], None], has_room: Callable[[Outbox], bool]
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._settle = settle
        self._has_room = has_room
        self._ready: deque[Reader] = deque()
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, reader: Reader) -> None:
        """Let a reader take its turns until it is at the head."""
        self._ready.append(reader)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._ready:
            self._scheduled = True
            self._clock.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        # Whoever reaches the head goes live, so nothing of this turn may still be on its way to them.
        self._settle()
        size, scan = self.limits.page_bytes, self.limits.page_scan
        for _ in range(len(self._ready)):
            if size <= 0 or scan <= 0:
                break
            reader = self._ready.popleft()
            if reader.stopped or reader.outbox.lost:
                continue
            if not self._has_room(reader.outbox):
                self._wait(reader)
                continue
            cost = reader.step(PageLimit(scan, size, scan))
            size -= cost.bytes
            scan -= cost.scan
            if cost.more:
                self._ready.append(reader)
        self._schedule()

    def _wait(self, reader: Reader) -> None:
        if reader.outbox.blocked:
            reader.outbox.parked.append(reader)
        else:
            self._clock.call_later(ROOM_RETRY, lambda: self.add(reader))
