"""Who works on which task: the decisions, without any messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

__all__ = ["Dispatcher"]


class Dispatcher:
    """Hands waiting tasks to the workers that hold fewest, and takes them back from workers that are gone.

    Args:
        depth: tasks a worker holds at once, so that it need not wait for the next one.
        max_deaths: workers a task may bring down before it is given up.
    """

    def __init__(self, depth: int = 4, max_deaths: int = 3) -> None:
        self._depth = depth
        self._max_deaths = max_deaths
        self._waiting: dict[str, None] = {}  # a queue from which anything can be taken out
        self._held: dict[str, set[str]] = {}
        self._attempts: Counter[str] = Counter()
        self._deaths: Counter[str] = Counter()
        self._finished: set[str] = set()

    def join(self, worker: str) -> None:
        """A worker is ready. Harmless twice."""
        self._held.setdefault(worker, set())

    def leave(self, worker: str) -> list[str]:
        """A worker is gone; returns the tasks it held, sorted. They wait for `add`, and nobody else gets them."""
        return sorted(self._held.pop(worker, ()))

    def add(self, task: str) -> None:
        """A task is to be done, or done again: whoever held it no longer does. A finished one stays finished."""
        if task not in self._finished:
            self._take_back(task)
            self._waiting[task] = None

    def finish(self, task: str) -> None:
        """A task is done, by whomever. Harmless twice."""
        self._finished.add(task)
        self._waiting.pop(task, None)
        self._take_back(task)

    def blame(self, task: str) -> bool:
        """A worker died over this task; returns whether that was one too many."""
        self._deaths[task] += 1
        return self._deaths[task] >= self._max_deaths

    def attempts(self, task: str) -> int:
        """How often the task was assigned."""
        return self._attempts[task]

    def assignments(self) -> Iterator[tuple[str, str]]:
        """The (task, worker) pairs to assign now; each counts as assigned once it was yielded."""
        while self._waiting and (worker := self._freest()):
            task = next(iter(self._waiting))
            del self._waiting[task]
            self._held[worker].add(task)
            self._attempts[task] += 1
            yield task, worker

    def _freest(self) -> str | None:
        worker = min(self._held, key=lambda name: len(self._held[name]), default=None)
        return worker if worker is not None and len(self._held[worker]) < self._depth else None

    def _take_back(self, task: str) -> None:
        for held in self._held.values():
            held.discard(task)
