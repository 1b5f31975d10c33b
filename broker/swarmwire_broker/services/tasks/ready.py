"""Queues in memory: which tasks are ready, in which order they go out, and which queues give none out.

Made anew from the ledgers at each start.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from .states import State

__all__ = ["TaskQueue", "TaskQueues"]

_SPARE: Final = 64
"""Places in a heap beyond two a task, before it is made anew."""

Place: TypeAlias = tuple[int, int, str]
"""Where a task stands: its priority from the highest, its order, its id."""


class _Heap:
    """Places, the first of them at hand. What is not ready any more is left in it until it comes up."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[Place] = []

    def push(self, place: Place, ready: dict[str, Place]) -> None:
        heapq.heappush(self._places, place)
        if len(self._places) > _SPARE + 2 * len(ready):
            self._places = [each for each in self._places if ready.get(each[2]) is each]
            heapq.heapify(self._places)

    def first(self, ready: dict[str, Place]) -> Place | None:
        while self._places:
            place = self._places[0]
            if ready.get(place[2]) is place:
                return place
            heapq.heappop(self._places)
        return None


class TaskQueue:
    """One queue.

    Attributes:
        paused: whether an operator has paused it.
        held_by: the stopped projects whose queue it is.
        counts: its tasks by state.
        dead: how many of the failed ones had no attempt left.
    """

    __slots__ = ("_all", "_by_type", "_ready", "counts", "dead", "held_by", "name", "paused")

    def __init__(self, name: str) -> None:
        self.name = name
        self.paused = False
        self.held_by: set[str] = set()
        self.counts: Counter[State] = Counter()
        self.dead = 0
        self._ready: dict[str, Place] = {}
        self._all = _Heap()
        self._by_type: dict[str, _Heap] = {}

    @property
    def is_open(self) -> bool:
        """Whether it gives out tasks."""
        return not self.paused and not self.held_by

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.is_open and not self._ready and not any(self.counts.values())

    @property
    def ready(self) -> int:
        """The tasks that could go out now."""
        return len(self._ready)

    def put(self, id: str, type: str, priority: int, order: int) -> None:
        """A task is ready. Harmless twice."""
        if id in self._ready:
            return
        place = self._ready[id] = (-priority, order, id)
        self._all.push(place, self._ready)
        heap = self._by_type.get(type)
        if heap is None:
            if len(self._by_type) > _SPARE + 2 * len(self._ready):
                self._by_type = {each: found for each, found in self._by_type.items() if found.first(self._ready)}
            heap = self._by_type[type] = _Heap()
        heap.push(place, self._ready)

    def remove(self, id: str) -> None:
        """A task is not ready any more. Harmless where it was not."""
        self._ready.pop(id, None)
        if not self._ready:
            self._all = _Heap()
            self._by_type = {}

    def first(self, types: Iterable[str] | None) -> str | None:
        """The task that goes out next, of these types or of any; it stays until it is removed."""
        if types is None:
            place = self._all.first(self._ready)
        else:
            heaps = (heap for type in types if (heap := self._by_type.get(type)) is not None)
            place = min((one for heap in heaps if (one := heap.first(self._ready)) is not None), default=None)
        return None if place is None else place[2]


class TaskQueues:
    """The queues that hold a task, are paused or are held. `full` is called for one more than `limit` says."""

    def __init__(self, limit: Callable[[], int], full: Callable[[str], None]) -> None:
        self._limit = limit
        self._full = full
        self._queues: dict[str, TaskQueue] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def __iter__(self) -> Iterator[TaskQueue]:
        return iter(self._queues.values())

    def get(self, name: str) -> TaskQueue | None:
        return self._queues.get(name)

    def check_room(self, name: str) -> None:
        """Let `full` raise where there is no room for a queue of this name."""
        if name not in self._queues and len(self._queues) >= self._limit():
            self._full(name)

    def make(self, name: str) -> TaskQueue:
        """The queue of this name, even over the limit: what is stored already must have a place."""
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = TaskQueue(name)
        return queue

    def tidy(self, name: str) -> None:
        """Forget a queue that nothing is to be remembered of."""
        queue = self._queues.get(name)
        if queue is not None and queue.is_empty:
            del self._queues[name]

    def take(self, names: Iterable[str], types: Iterable[str] | None) -> str | None:
        """The next task of the first of these queues that is open and has one, taken out of it."""
        for name in names:
            queue = self._queues.get(name)
            if queue is not None and queue.is_open and (id := queue.first(types)) is not None:
                queue.remove(id)
                return id
        return None
