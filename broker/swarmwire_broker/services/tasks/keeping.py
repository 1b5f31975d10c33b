"""Ended tasks: who waits for an end, and how long it can be looked at."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from ...core.ports import Timer
from .board import Board
from .record import TaskEntry
from .states import State

__all__ = ["Keeping"]

_BATCH: Final = 256
"""Tasks that are removed in one step."""

_LONGEST: Final = 60.0
"""Seconds between two looks at the ages."""


class Keeping:
    """Tells those who wait for an end, and lets go of what ended too long ago or is too much."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Future[TaskEntry]]] = {}
        self._timer: Timer | None = None
        self._trimming = False
        self._closed = False
        board.observers.append(self._changed)

    def __len__(self) -> int:
        return len(self._ended)

    def close(self) -> None:
        """Let nothing go any more. Harmless twice."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def wait(self, id: str) -> TaskEntry:
        """The task once it has ended.

        Raises:
            SwarmwireError: NOT_FOUND.
        """
        entry = self._board.find(id)
        if entry.has_ended:
            return entry
        ended: asyncio.Future[TaskEntry] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(id, set())
        waiting.add(ended)
        try:
            return await ended
        finally:
            waiting.discard(ended)
            if not waiting:
                self._waiting.pop(id, None)

    def _changed(self, old: TaskEntry | None, new: TaskEntry | None) -> None:
        if new is None:
            if old is not None:
                self._ended.pop(old.id, None)
        elif new.has_ended and (old is None or not old.has_ended):
            self._ended[new.id] = new.ended_at or 0
            for waiting in self._waiting.pop(new.id, ()):
                if not waiting.done():
                    waiting.set_result(new)
            if old is not None:
                self._note(new)
            self._look()

    def _note(self, entry: TaskEntry) -> None:
        duration = entry.duration if entry.state is State.COMPLETED else None
        self._board.stats.note(entry.spec.queue, entry.state.value, self._board.now(), duration=duration)

    # ---- letting go

    def _look(self) -> None:
        if self._closed:
            return
        if not self._trimming and self._excess():
            self._trimming = True
            self._board.clock.spawn(self._trim())
        if self._timer is None and self._ended and self._board.limits.ended_task_age_ms is not None:
            left = (next(iter(self._ended.values())) - self._oldest()) / 1000
            self._timer = self._board.clock.call_later(min(_LONGEST, max(0.05, left)), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._look()

    def _oldest(self) -> int:
        """What ended before this time is too old."""
        return self._board.now() - (self._board.limits.ended_task_age_ms or 0)

    def _excess(self) -> list[TaskEntry]:
        """Ended tasks to let go, some of the oldest first."""
        board, limits = self._board, self._board.limits
        too_many = len(self._ended) - limits.max_ended_tasks
        too_large = board.open_bytes + board.ended_bytes - limits.max_tasks_bytes
        aged = limits.ended_task_age_ms is not None
        found: list[TaskEntry] = []
        for id, ended_at in self._ended.items():
            entry = board.ledger.get(id)
            if entry is None or len(found) >= _BATCH:
                break
            if not (len(found) < too_many or too_large > 0 or (aged and ended_at < self._oldest())):
                break
            too_large -= entry.size
            found.append(entry)
        return found

    async def _trim(self) -> None:
        try:
            while found := self._excess():
                await self._board.forget(found)
        finally:
            self._trimming = False
