"""What is published about a task, one record an event."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from .record import Count, Fault, Finite, Number, Percent, Record

__all__ = [
    "TASK_EVENTS",
    "TaskAssigned",
    "TaskCancelled",
    "TaskClosed",
    "TaskCompleted",
    "TaskCreated",
    "TaskError",
    "TaskFailed",
    "TaskMessage",
    "TaskOutcome",
    "TaskProgress",
    "TaskRecord",
    "TaskResumed",
    "TaskRetrying",
    "TaskStarted",
    "TaskStatus",
]

TaskStatus: TypeAlias = Literal["pending", "in-progress", "completed", "failed", "cancelled"]


class _OfTask(Record, frozen=True, kw_only=True):
    task_id: str


class TaskCreated(_OfTask, frozen=True, kw_only=True):
    """There is a new task. `type` and `priority` mean what the application says they mean.

    `queue` is where a broker that manages it keeps it, `retried_from` the ended task that it repeats.
    """

    type: str
    priority: Finite | None = None
    agent_id: str | None = None
    metadata: dict[str, Any] | None = None
    queue: str | None = None
    retried_from: str | None = None


class TaskAssigned(_OfTask, frozen=True, kw_only=True):
    """An agent is to do the task.

    Of a task that the broker manages: `token` is that of the agent's claim, higher than that of every claim before,
    and `attempt` counts the claims from 1.
    """

    agent_id: str
    token: Count | None = None
    attempt: Count | None = None


class TaskStarted(_OfTask, frozen=True, kw_only=True):
    """Work on the task has begun."""

    agent_id: str | None = None


class TaskProgress(_OfTask, frozen=True, kw_only=True):
    """How far the task is, from 0 to 100."""

    progress: Percent
    status: TaskStatus = "in-progress"
    message: str | None = None


class TaskMessage(_OfTask, frozen=True, kw_only=True):
    """Something said in the course of the task, to it or by it."""

    message: str
    sender: str | None = None
    data: Any = None


class TaskError(_OfTask, frozen=True, kw_only=True):
    """Something went wrong in the task, which has not ended by that."""

    error: Fault


class TaskRetrying(_OfTask, frozen=True, kw_only=True):
    """The task is tried again: `attempt` counts from 1, `delay` is in milliseconds from now."""

    attempt: Count
    delay: Number | None = None
    error: Fault | None = None


class _Ended(_OfTask, frozen=True, kw_only=True):
    """The end of a task. `duration` is in milliseconds."""

    result: Any = None
    duration: Number | None = None


class TaskCompleted(_Ended, frozen=True, kw_only=True):
    """The task is done."""

    status: Literal["completed"] = "completed"
    error: Fault | None = None


class TaskFailed(_Ended, frozen=True, kw_only=True):
    """The task has failed for good; `dead` where the broker gave it up because no attempt was left."""

    status: Literal["failed"] = "failed"
    error: Fault
    dead: bool | None = None


class TaskCancelled(_Ended, frozen=True, kw_only=True):
    """The task was given up."""

    status: Literal["cancelled"] = "cancelled"
    error: Fault | None = None
    reason: str | None = None


class TaskClosed(_OfTask, frozen=True, kw_only=True):
    """The task is put away; it can be resumed."""

    reason: str | None = None


class TaskResumed(_OfTask, frozen=True, kw_only=True):
    """A task that had stopped goes on."""

    agent_id: str | None = None


TaskOutcome: TypeAlias = TaskCompleted | TaskFailed | TaskCancelled
"""The ends a task can come to. All have `status`, `result`, `error` and `duration`."""

TaskRecord: TypeAlias = (
    TaskCreated
    | TaskAssigned
    | TaskStarted
    | TaskProgress
    | TaskMessage
    | TaskError
    | TaskRetrying
    | TaskCompleted
    | TaskFailed
    | TaskCancelled
    | TaskClosed
    | TaskResumed
)

TASK_EVENTS: MappingProxyType[str, type[TaskRecord]] = MappingProxyType(
    {
        "created": TaskCreated,
        "assigned": TaskAssigned,
        "started": TaskStarted,
        "progress": TaskProgress,
        "message": TaskMessage,
        "error": TaskError,
        "retrying": TaskRetrying,
        "completed": TaskCompleted,
        "failed": TaskFailed,
        "cancelled": TaskCancelled,
        "closed": TaskClosed,
        "resumed": TaskResumed,
    }
)
"""The events of a task, by the last segment of their topic."""
