"""Those who wait for a task, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

__all__ = ["Claimant", "Claimants"]


class Claimant:
    """Somebody who waits for a task of these queues, and of these types only where they are given.

    `offered` is what they are handed: the id of a task that is in no queue any more.
    """

    __slots__ = ("offered", "queues", "types")

    def __init__(self, queues: list[str], types: list[str] | None) -> None:
        self.queues: Final = list(dict.fromkeys(queues))
        self.types: Final = None if types is None else frozenset(types)
        self.offered: asyncio.Future[str] | None = None

    def takes(self, type: str) -> bool:
        return self.types is None or type in self.types


class Claimants:
    """Everybody who waits, by queue."""

    def __init__(self) -> None:
        self._waiting: dict[str, OrderedDict[Claimant, None]] = {}

    def add(self, claimant: Claimant, *, first: bool) -> asyncio.Future[str]:
        """Wait for a task; `first` is for who was handed one that was gone. The future is the task's id."""
        claimant.offered = asyncio.get_running_loop().create_future()
        for name in claimant.queues:
            waiting = self._waiting.setdefault(name, OrderedDict())
            waiting[claimant] = None
            if first:
                waiting.move_to_end(claimant, last=False)
        return claimant.offered

    def discard(self, claimant: Claimant) -> None:
        """Wait no more. Harmless twice."""
        for name in claimant.queues:
            waiting = self._waiting.get(name)
            if waiting is not None:
                waiting.pop(claimant, None)
                if not waiting:
                    del self._waiting[name]

    def of(self, queue: str) -> Iterator[Claimant]:
        """Who waits for a task of this queue, in order."""
        return iter(list(self._waiting.get(queue, ())))

    def waiting(self, queue: str) -> int:
        """How many wait for a task of this queue."""
        return len(self._waiting.get(queue, ()))

    def hand(self, claimant: Claimant, id: str) -> None:
        """Give a waiting claimant a task."""
        self.discard(claimant)
        assert claimant.offered is not None
        claimant.offered.set_result(id)

    def offer(self, queue: str, type: str, id: str) -> bool:
        """Give a task to whoever has waited for one of its kind longest; False if nobody has."""
        for claimant in self._waiting.get(queue, ()):
            if claimant.takes(type):
                self.hand(claimant, id)
                return True
        return False
