"""Finding a place to begin in a stream: by asking how much follows a place, not by reading what lies before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from ...matcher import Matcher
from .consumers import Consumers
from .pullconsumer import PullConsumer
from .readplan import filtered

__all__ = ["find_last", "find_since"]

_PULL: Final = 1_000
_PULL_BYTES: Final = 1024 * 1024

_SPARE: Final = 500
"""So many more messages than asked for are read for free."""

_STEPS: Final = 30
_WIDER: Final = 4

_LAST_TS: Final = 9_200_000_000_000
"""Milliseconds: the servers know no later time than this."""


async def find_last(
    consumers: Consumers, matcher: Matcher, matches: Callable[[bytes], bool], count: int, head: int
) -> int | None:
    """The place after which the last `count` messages up to `head` stand whose subject matches; `head` if none do.

    None if the servers do not know yet what stands there. Raises LinkError.
    """
    search = _Search(consumers, filtered(consumers.subjects, consumers.version, matcher), head)
    wanted = count
    while True:
        place, is_first = await search.back(wanted)
        found = await search.read(place, matches, count)
        if found is None:
            return None
        if len(found) == count or is_first:
            return found[0] - 1 if found else head
        wanted *= _WIDER


class _Search:
    """What consumers that are made for the question tell: how many messages of their filters follow a place."""

    def __init__(self, consumers: Consumers, filters: dict[str, object], head: int) -> None:
        self._consumers = consumers
        self._filters = filters
        self._head = head

    async def _open(self, place: int) -> PullConsumer:
        where = {"deliver_policy": "by_start_sequence", "opt_start_seq": place + 1, "headers_only": True}
        return await self._consumers.make({**where, **self._filters})

    async def _ask(self, place: int) -> tuple[int, int]:
        """How many messages follow a place, and the place itself, or the first one that there is."""
        consumer = await self._open(place)
        self._consumers.drop(consumer)
        return consumer.matching, consumer.begins

    async def back(self, wanted: int) -> tuple[int, bool]:
        """A place that `wanted` messages follow, and not many more; whether it is where the log begins."""
        follow, first = await self._ask(0)
        low, high, beyond = first, self._head, 0
        for step in range(_STEPS):
            if follow <= _WIDER * wanted + _SPARE or high - low <= 1:
                break
            # Sought where it would be if all were evenly spread, a little before; where they are not, by halving.
            share = 0.5 if step % 2 else (2 * wanted + _SPARE - beyond) / max(1, follow - beyond)
            place = min(high - 1, max(low + 1, round(high - (high - low) * share)))
            there, _ = await self._ask(place)
            if there >= wanted + _SPARE // 2:
                follow, low = there, place
            else:
                beyond, high = there, place
        return low, low <= first

    async def read(self, place: int, matches: Callable[[bytes], bool], count: int) -> list[int] | None:
        """The places of the last `count` messages behind a place; None if not all can be told."""
        found: deque[int] = deque(maxlen=count)
        consumer = await self._open(place)
        try:
            while True:
                while consumer.messages:
                    message = consumer.messages.popleft()
                    if message.seq > self._head:
                        return list(found)
                    if matches(message.subject):
                        found.append(message.seq)
                if not await consumer.pull(_PULL, _PULL_BYTES) and not consumer.messages:
                    reached = await consumer.probe()
                    if reached is not None:
                        return list(found) if reached >= self._head else None
        finally:
            self._consumers.drop(consumer)


async def find_since(consumers: Consumers, ts: int, head: int) -> int | None:
    """The place after which the messages stand that are not older than `ts` milliseconds; `head` at most.

    None if the servers do not know yet what stands there. Raises LinkError.
    """
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(ts, _LAST_TS))
    config = {"deliver_policy": "by_start_time", "opt_start_time": time.isoformat(), "headers_only": True}
    consumer = await consumers.make(config)
    try:
        await consumer.pull(1, 0)
        reached = None if consumer.messages else await consumer.probe()
        if reached is not None:
            return head if reached >= head else None
        return min(head, consumer.messages[0].seq - 1)
    finally:
        consumers.drop(consumer)
