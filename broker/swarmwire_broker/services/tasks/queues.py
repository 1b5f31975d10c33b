"""The service of queues: what they hold, what they did, and whether they give out tasks."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from swarmwire_protocol.topics import encode_segment

from ...core.identity import Author
from ...core.methods import Asked, Method
from ...engines.entry import Draft
from ..checks import check_name
from ..keylocks import KeyLocks
from ..ledger import Ledger
from ..shared import Shared
from ..telling import told
from .params import Clear, Stats, Status
from .queuestats import period_ms
from .ready import TaskQueue
from .states import State
from .tasks import Tasks

__all__ = ["QueueEntry", "Queues"]

_COUNTED: Final = {
    "pending": State.PENDING,
    "running": State.RUNNING,
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
    "closed": State.CLOSED,
}


class QueueEntry(Struct, frozen=True, kw_only=True):
    """A queue that an operator has paused. Those that nobody paused are not stored."""

    name: str
    paused_at: int


class Queues:
    """The queues of the tasks: counted, paused, held by projects."""

    def __init__(self, shared: Shared, tasks: Tasks) -> None:
        self._board = tasks.board
        self._orders = tasks.orders
        self._ledger = Ledger(shared.engine, "queue/", QueueEntry)
        self._locks = KeyLocks()
        shared.hub.publishing.reserve("queue.*.status-changed")

    def methods(self) -> list[Method]:
        return [
            Method("queue.status", Status, self._status, looks=True),
            Method("queue.pause", Clear, self._pause),
            Method("queue.resume", Clear, self._resume),
            Method("queue.clear", Clear, self._clear),
            Method("queue.stats", Stats, self._stats, looks=True),
        ]

    async def start(self) -> None:
        await self._ledger.load()
        for name, _ in self._ledger.items():
            self._board.queues.make(name).paused = True

    def close(self) -> None:
        """Nothing happens by itself here."""

    # ---- for projects

    def hold(self, name: str, project: str) -> None:
        """Give out no task of this queue while the project is stopped."""
        self._board.queues.make(name).held_by.add(project)

    def release(self, name: str, project: str) -> None:
        """Give out tasks again, unless something else is in the way. Harmless where the project did not hold it."""
        queue = self._board.queues.get(name)
        if queue is not None and project in queue.held_by:
            queue.held_by.discard(project)
            self._board.serve(name)
            self._board.queues.tidy(name)

    def shown(self, name: str) -> dict[str, Any]:
        """A row of `queue.status`."""
        return _shown(self._board.queues.get(name) or TaskQueue(name))

    def check_room(self, name: str) -> None:
        """Make sure that there may be a queue of this name.

        Raises:
            SwarmwireError: LIMIT_EXCEEDED.
        """
        self._board.queues.check_room(name)

    def held_change(self, name: str, project: str, *, held: bool, author: Author) -> list[Draft]:
        """The event of a queue that a project is about to hold or to release; none where it does already."""
        queue = self._board.queues.get(name) or TaskQueue(name)
        if (project in queue.held_by) == held:
            return []
        return [self._changed(name, queue.paused, queue.held_by ^ {project}, author)]

    def _changed(self, name: str, paused: bool, held_by: set[str], author: Author) -> Draft:
        data = {
            "queue": name,
            "timestamp": self._board.now(),
            "status": _word(paused, held_by),
            "paused": paused,
            "heldBy": sorted(held_by),
        }
        return told(f"queue.{encode_segment(name)}.status-changed", data, author)

    # ---- methods

    async def _pause(self, asked: Asked, params: Clear) -> dict[str, Any]:
        return await self._set(params.queue, asked.author, paused=True)

    async def _resume(self, asked: Asked, params: Clear) -> dict[str, Any]:
        return await self._set(params.queue, asked.author, paused=False)

    async def _set(self, name: str, author: Author, *, paused: bool) -> dict[str, Any]:
        check_name(name, "Queue", "queue")
        async with self._locks.hold(name):
            if paused:
                self._board.queues.check_room(name)
            if (name in self._ledger) != paused:
                await self._write(name, author, paused=paused)
            return self.shown(name)

    async def _write(self, name: str, author: Author, *, paused: bool) -> None:
        entry = QueueEntry(name=name, paused_at=self._board.now()) if paused else None
        known = self._board.queues.get(name)
        event = self._changed(name, paused, set() if known is None else known.held_by, author)
        try:
            await self._ledger.write({name: entry}, [event])
        finally:
            self._board.queues.make(name).paused = name in self._ledger
            self._board.serve(name)
            self._board.queues.tidy(name)

    async def _clear(self, asked: Asked, params: Clear) -> dict[str, Any]:
        check_name(params.queue, "Queue", "queue")
        cleared = await self._orders.clear(params.queue, asked.author)
        return {
            "queue": params.queue,
            "cleared": cleared,
            "message": f"Cleared {cleared} tasks from queue {params.queue}",
        }

    def _status(self, asked: Asked, params: Status) -> dict[str, Any]:
        queues = self._wanted(params.queue)
        rows = [_shown(queue) for queue in queues]
        names = ("total", *_COUNTED, "dead")
        return {"queues": rows, **{name: sum(row[name] for row in rows) for name in names}}

    def _wanted(self, name: str | None) -> list[TaskQueue]:
        if name is None:
            return sorted(self._board.queues, key=lambda queue: queue.name)
        check_name(name, "Queue", "queue")
        return [self._board.queues.get(name) or TaskQueue(name)]

    def _stats(self, asked: Asked, params: Stats) -> dict[str, Any]:
        stats = self._board.stats
        names = stats.names() if params.queue is None else [params.queue]
        figures = stats.of(names, period_ms(params.period), self._board.now())
        return {"queue": params.queue, "period": params.period, **figures}


def _word(paused: bool, held_by: set[str]) -> str:
    return "paused" if paused else "held" if held_by else "open"


def _shown(queue: TaskQueue) -> dict[str, Any]:
    counts = {name: queue.counts[state] for name, state in _COUNTED.items()}
    return {
        "name": queue.name,
        "status": _word(queue.paused, queue.held_by),
        "paused": queue.paused,
        "held_by": sorted(queue.held_by),
        "total": sum(counts.values()),
        **counts,
        "dead": queue.dead,
    }
