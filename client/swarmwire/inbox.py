"""What waits for one iterator: a bounded queue of events and gaps, and the mark where the past is complete."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, TypeAlias

from swarmwire_protocol import messages as wire

from .errors import SwarmwireError, afresh
from .records import Gap, Live

__all__ = ["INBOX_BYTES", "Delivery", "Inbox", "Item"]

INBOX_BYTES: Final = 64 * 1024 * 1024
"""The most bytes of data that wait for one iterator, beside the limit in events; one event always fits."""

Delivery: TypeAlias = tuple[wire.Event, str]
"""An event as it came, and the epoch it belongs to."""

Item: TypeAlias = Delivery | Gap | Live


class Inbox:
    """Holds at most `limit` events; whoever puts checks `full` first. It is read by any number of tasks.

    A `Live`, of which there is at most one, takes no room and is not dropped.
    """

    __slots__ = ("_bytes", "_error", "_marks", "_waiters", "ended", "items", "limit", "lost")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.items: deque[Item] = deque()
        self.lost: Gap | None = None
        """What was dropped in front of the oldest item, where dropping was asked for."""
        self.ended = False
        """Whether nothing more will come."""
        self._bytes = 0
        self._marks = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._error: SwarmwireError | None = None

    @property
    def full(self) -> bool:
        """Whether it takes no more events."""
        return len(self.items) - self._marks >= self.limit or self._bytes >= INBOX_BYTES

    @property
    def half_empty(self) -> bool:
        """Whether there is room enough to ask for more."""
        return len(self.items) <= self.limit // 2 and self._bytes <= INBOX_BYTES // 2

    @property
    def idle(self) -> bool:
        """Whether everything that came was taken out."""
        return not self.items and self.lost is None

    def put(self, item: Item) -> None:
        """Add an item at the end."""
        self.items.append(item)
        if isinstance(item, tuple):
            self._bytes += len(item[0].data)
        elif isinstance(item, Live):
            self._marks += 1
        if self._waiters:
            self._wake()

    def take(self) -> Item:
        """Remove and return the oldest item; `idle` must be False."""
        if self.lost is not None:
            gap, self.lost = self.lost, None
            return gap
        item = self.items.popleft()
        self._passed(item)
        return item

    def drop_oldest(self, pattern: str) -> None:
        """Make room by dropping the oldest event or gap; adjacent losses are one gap."""
        place = 1 if isinstance(self.items[0], Live) else 0
        item = self.items[place]
        del self.items[place]
        self._passed(item)
        if (loss := _loss_of(item, pattern)) is not None:
            self.lost = loss if self.lost is None else _merged(self.lost, loss)

    def end(self, error: SwarmwireError | None = None) -> None:
        """Nothing more will come. With an error what waits is still handed out, then the error is raised.

        Without one, by intent, nothing is handed out any more, also where an error had ended it before.
        """
        if self.ended and error is not None:
            return
        self.ended, self._error = True, error
        if error is None:
            self.items.clear()
            self.lost = None
        self._wake()

    async def wait(self) -> bool:
        """Wait until there is something to take; False at the end.

        Raises:
            SwarmwireError: the one that `end` was called with.
        """
        while self.idle:
            if self._error is not None:
                raise afresh(self._error)
            if self.ended:
                return False
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return True

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _passed(self, item: Item) -> None:
        if isinstance(item, tuple):
            self._bytes -= len(item[0].data)
        elif isinstance(item, Live):
            self._marks -= 1


def _loss_of(item: Item, pattern: str) -> Gap | None:
    if isinstance(item, Gap):
        return item
    if isinstance(item, Live):
        return None
    message, epoch = item
    if message.seq is None:  # nothing is owed for an ephemeral event
        return None
    return Gap(f"{epoch}:{message.seq - 1}", f"{epoch}:{message.seq}", "overflow", pattern, 1)


def _merged(first: Gap, second: Gap) -> Gap:
    exact = first.dropped is not None and second.dropped is not None
    dropped = (first.dropped or 0) + (second.dropped or 0) if exact else None
    # That the log is another one must not be hidden by what was dropped around it.
    reason = "epoch" if "epoch" in (first.reason, second.reason) else "overflow"
    return Gap(first.start, second.end, reason, first.pattern, dropped)
