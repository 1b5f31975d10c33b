"""Tasks as the broker shows them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from ..errors import SwarmwireError

__all__ = ["ENDED", "Submitted", "Task", "TaskFault", "TaskLost", "NoRetry", "task_from"]

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
"""The states that a task does not leave."""


class NoRetry(Exception):
    """Raised while working on a task, fails it for good, however many attempts it has left."""


class TaskLost(SwarmwireError):
    """The task that was worked on is not ours any more: its lease has lapsed (FENCED), or it was taken away from all
    workers, cancelled or closed (CANCELLED)."""


class TaskFault(Struct, frozen=True):
    """What went wrong: a sentence, and where known a code (of an exception: its name)."""

    message: str
    code: str | None = None
    recoverable: bool | None = None


class Task(Struct, frozen=True, kw_only=True):
    """A task as it stood when the broker was asked. Times are in milliseconds (since 1970 where it is a moment).

    Attributes:
        state: pending, in-progress, completed, failed, cancelled or closed.
        attempts: how often it was claimed; at most `max_attempts` times.
        dead: whether it failed because no attempt was left.
        worker: who has it, or had it last.
        progress: from 0 to 100; `message` is what was said with it.
        duration: from the first claim to the end.
        payload, metadata, result: None in lists, which do not show them.
    """

    id: str
    type: str
    queue: str
    state: str
    priority: int = 0
    attempts: int = 0
    max_attempts: int = 1
    created_at: int = 0
    not_before: int | None = None
    claimed_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    duration: int | None = None
    worker: str | None = None
    progress: float | None = None
    message: str | None = None
    error: TaskFault | None = None
    reason: str | None = None
    dead: bool = False
    project: str | None = None
    agent_id: str | None = None
    submitted_by: str | None = None
    retried_from: str | None = None
    payload: Any = None
    metadata: dict[str, Any] | None = None
    result: Any = None

    @property
    def has_ended(self) -> bool:
        """Whether it was completed, has failed or was cancelled: that is final."""
        return self.state in ENDED


class Submitted(Task, frozen=True, kw_only=True):
    """A task that was submitted; `duplicate` says that it had been before, with the same id and content."""

    duplicate: bool = False


def task_from(data: Any) -> Task:
    """The task in an answer of the broker."""
    return msgspec.convert(data, Task)
