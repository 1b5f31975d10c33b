"""Tasks that are not due yet, by the time of day at which they will be."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from ...core.ports import Clock, Timer

__all__ = ["TaskDelays"]

_SPARE: Final = 64
_LONGEST: Final = 60.0
"""Seconds after which the time of day is looked at again: it may have been set."""


class TaskDelays:
    """Calls `due` with the id of each task at its time (milliseconds since 1970), and then knows it no more."""

    def __init__(self, clock: Clock, due: Callable[[str], None]) -> None:
        self._clock = clock
        self._due = due
        self._times: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._timer: Timer | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._times)

    def put(self, id: str, when: int) -> None:
        """Have a task wait until then; where it waits already, until then instead."""
        if self._times.get(id) == when:
            return
        self._times[id] = when
        heapq.heappush(self._heap, (when, id))
        if len(self._heap) > _SPARE + 2 * len(self._times):
            self._heap = [(when, id) for id, when in self._times.items()]
            heapq.heapify(self._heap)
        if self._heap[0] == (when, id):
            self._wind()

    def drop(self, id: str) -> None:
        """The task waits no more. Harmless where it did not."""
        self._times.pop(id, None)

    def close(self) -> None:
        """Let nothing become due any more. Harmless twice."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if self._heap and not self._closed:
            left = (self._heap[0][0] - self._clock.now_ms()) / 1000
            self._timer = self._clock.call_later(min(_LONGEST, max(0.0, left)), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.now_ms()
        while self._heap and self._heap[0][0] <= now:
            when, id = heapq.heappop(self._heap)
            if self._times.get(id) == when:
                del self._times[id]
                self._due(id)
        self._wind()
