"""The board: all tasks as they stand, and what follows of itself from a change of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import Author
from ...core.settings import Limits
from ...engines.entry import Draft
from ..keylocks import KeyLocks
from ..ledger import Ledger
from ..shared import Shared
from .claimants import Claimants
from .delays import TaskDelays
from .lifecycle import check_lifecycle
from .queuestats import QueueStats
from .ready import TaskQueues
from .record import TaskEntry
from .states import State

__all__ = ["Board", "Observer"]

Observer: TypeAlias = Callable[[TaskEntry | None, TaskEntry | None], None]
"""Called with a task before a change (None: it is new) and after it (None: it is forgotten)."""


class Board:
    """Every task, by id, with the queues and whoever waits at them.

    Commands about one task come one after the other (`locks`); those about different tasks are committed together.
    Whatever follows from a change, in here and in the observers, is done at once when it is committed, and by the same
    code at the start.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.clock = shared.hub.clock
        self.ledger = Ledger(shared.engine, "task/", TaskEntry)
        self.locks = KeyLocks()
        self.queues = TaskQueues(lambda: self.limits.max_queues, self._full)
        self.claimants = Claimants()
        self.delays = TaskDelays(self.clock, self._due)
        self.stats = QueueStats(self.now(), 2 * self.limits.max_queues)
        self.observers: list[Observer] = []
        self.open = 0
        self.open_bytes = 0
        self.ended_bytes = 0
        self._order = 0
        shared.hub.publishing.guard("task", self._guard)

    @property
    def limits(self) -> Limits:
        """What bounds the tasks, as it is now."""
        return self.shared.limits

    def now(self) -> int:
        """The time of day in milliseconds since 1970."""
        return self.clock.now_ms()

    async def load(self) -> None:
        """Read the tasks, and do what follows from each."""
        await self.ledger.load()
        found = sorted(
            (entry for _, entry in self.ledger.items()), key=lambda entry: (entry.ended_at or 0, entry.order)
        )
        for entry in found:
            self._order = max(self._order, entry.order)
            self._changed(None, entry)

    def close(self) -> None:
        """Let nothing become due any more. Harmless twice."""
        self.delays.close()
        self.shared.hub.publishing.unguard("task", self._guard)

    def next_order(self) -> int:
        """The place of a new task behind all others."""
        self._order += 1
        return self._order

    def find(self, id: str) -> TaskEntry:
        """The task.

        Raises:
            SwarmwireError: NOT_FOUND.
        """
        entry = self.ledger.get(id)
        if entry is None:
            raise SwarmwireError(ErrorCode.NOT_FOUND, f"There is no task {id!a:.140}.", field="params.id")
        return entry

    # ---- changes

    async def write(self, old: TaskEntry | None, new: TaskEntry, events: Sequence[Draft]) -> None:
        """Commit a change with its events, while the name is locked.

        Raises:
            SwarmwireError: it could not be stored. What the board shows is what the engine holds, either way.
        """
        try:
            await self.ledger.write({new.id: new}, events)
        finally:
            self.refresh(new.id, old)

    async def forget(self, entries: Sequence[TaskEntry]) -> None:
        """Remove tasks for good."""
        try:
            await self.ledger.write({entry.id: None for entry in entries})
        finally:
            for entry in entries:
                self.refresh(entry.id, entry)

    def refresh(self, id: str, old: TaskEntry | None) -> None:
        """Do what follows, if the task is not what it was."""
        new = self.ledger.get(id)
        if new is not old:
            self._changed(old, new)

    def _changed(self, old: TaskEntry | None, new: TaskEntry | None) -> None:
        if old is not None:
            self._count(old, -1)
        if new is not None:
            self._count(new, 1)
        if old is not None and (new is None or new.state is not State.PENDING):
            queue = self.queues.get(old.spec.queue)
            if queue is not None:
                queue.remove(old.id)
            self.delays.drop(old.id)
        for observer in self.observers:
            observer(old, new)
        if new is not None:
            self.put_back(new)
        if old is not None:
            self.queues.tidy(old.spec.queue)

    def _count(self, entry: TaskEntry, by: int) -> None:
        queue = self.queues.make(entry.spec.queue)
        queue.counts[entry.state] += by
        queue.dead += by * entry.dead
        if entry.has_ended:
            self.ended_bytes += by * entry.size
        else:
            self.open += by
            self.open_bytes += by * entry.size

    # ---- from the queue to who waits

    def put_back(self, entry: TaskEntry) -> None:
        """Have a task go out, now or when it is due, if it is pending. Harmless where it waits already."""
        if entry.state is not State.PENDING:
            return
        if entry.not_before > self.now():
            self.delays.put(entry.id, entry.not_before)
            return
        queue, spec = self.queues.make(entry.spec.queue), entry.spec
        if queue.is_open and self.claimants.offer(spec.queue, spec.type, entry.id):
            queue.remove(entry.id)
        else:
            queue.put(entry.id, spec.type, spec.priority, entry.order)

    def serve(self, name: str) -> None:
        """A queue may have been opened: give what it has to whoever waits for it."""
        queue = self.queues.get(name)
        for claimant in self.claimants.of(name):
            if queue is None or not queue.is_open or not queue.ready:
                return
            if (id := self.queues.take([name], claimant.types)) is not None:
                self.claimants.hand(claimant, id)

    def _due(self, id: str) -> None:
        entry = self.ledger.get(id)
        if entry is not None:
            self.put_back(entry)

    def _full(self, name: str) -> None:
        sentence = f"The broker holds at most {self.limits.max_queues} queues; {name!a:.140} would be one more."
        raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence, field="params.queue", retry_after_ms=1_000)

    # ---- what clients may not say

    def _guard(self, topic: str, author: Author) -> None:
        check_lifecycle(topic, self.ledger.__contains__)
