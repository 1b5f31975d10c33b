"""Things that end by themselves, thousands at a time: some are worked on at once, others are served between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from ..core.ports import Clock

__all__ = ["Endings"]

T = TypeVar("T")

_AT_ONCE: Final = 64


class Endings(Generic[T]):
    """Runs `end` once for each item that is added, in their order, for at most 64 of them at once.

    What it raises is supervised, and keeps no other from its turn.
    """

    def __init__(self, clock: Clock, end: Callable[[T], Coroutine[Any, Any, object]]) -> None:
        self._clock = clock
        self._end = end
        self._waiting: deque[T] = deque()
        self._workers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> None:
        """Have it ended, soon."""
        self._waiting.append(item)
        if self._workers < _AT_ONCE:
            self._work()

    def close(self) -> None:
        """Forget those that wait. Harmless twice."""
        self._waiting.clear()

    def _work(self) -> None:
        self._workers += 1
        self._clock.spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._end(self._waiting.popleft())
                await asyncio.sleep(0)
        finally:
            self._workers -= 1
            if self._waiting:
                self._work()
