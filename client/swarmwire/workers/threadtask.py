"""A claimed task, as a plain function sees it that runs in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..tasks.tasks import ClaimedTask

__all__ = ["ThreadTask"]


class ThreadTask:
    """The same as the `ClaimedTask`, but its methods block. For the thread that it was given to."""

    def __init__(self, task: ClaimedTask, loop: asyncio.AbstractEventLoop) -> None:
        self._task = task
        self._loop = loop
        self.gone = False
        """Whether the task is ours no more: it was cancelled, or is to be given back. A thread cannot be interrupted,
        so a function that takes long looks here from time to time, and returns."""

    def __repr__(self) -> str:
        return f"ThreadTask({self.id!r})"

    @property
    def id(self) -> str:
        return self._task.id

    @property
    def type(self) -> str:
        return self._task.type

    @property
    def queue(self) -> str:
        return self._task.queue

    @property
    def payload(self) -> Any:
        return self._task.payload

    @property
    def attempt(self) -> int:
        """Which attempt this is; the first is 1."""
        return self._task.attempt

    @property
    def metadata(self) -> dict[str, Any] | None:
        return self._task.metadata

    def progress(self, progress: float, message: str | None = None) -> None:
        """Tell how far it is, from 0 to 100. Errors are those of `ClaimedTask.progress`."""
        self._run(self._task.progress(progress, message))

    def message(self, message: str, data: Any = None) -> None:
        """Say something in the course of the task."""
        self._run(self._task.message(message, data))

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
