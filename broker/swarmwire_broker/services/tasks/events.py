"""The events of a task that the broker manages: the records of the channels, each for one change of its state."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, to_builtins

from swarmwire_channels import Fault
from swarmwire_channels.topics import task_topic

from ...core.identity import Author
from ...engines.entry import Draft
from ..telling import told
from .record import TaskEntry

__all__ = [
    "assigned",
    "cancelled",
    "closed",
    "completed",
    "created",
    "failed",
    "progressed",
    "resumed",
    "retrying",
    "said",
]


def _event(entry: TaskEntry, event: str, now: int, author: Author | None, **fields: Any) -> Draft:
    data = {"taskId": entry.id, "timestamp": now, **fields}
    present = {name: value for name, value in data.items() if value is not None}
    return told(task_topic(entry.id, event), present, author)


def created(entry: TaskEntry, author: Author) -> list[Draft]:
    spec = entry.spec
    return [
        _event(
            entry,
            "created",
            entry.created_at,
            author,
            type=spec.type,
            priority=spec.priority,
            queue=spec.queue,
            agentId=spec.agent_id,
            metadata=None if spec.metadata is None else Raw(spec.metadata),
            retriedFrom=entry.retried_from,
        )
    ]


def assigned(entry: TaskEntry, author: Author, now: int) -> list[Draft]:
    """A worker has it, and has begun."""
    return [
        _event(entry, "assigned", now, author, agentId=entry.worker, token=entry.token, attempt=entry.attempts),
        _event(entry, "started", now, author, agentId=entry.worker),
    ]


def progressed(entry: TaskEntry, author: Author, now: int) -> list[Draft]:
    return [
        _event(entry, "progress", now, author, progress=entry.progress, message=entry.message, status=entry.state.value)
    ]


def said(entry: TaskEntry, author: Author, now: int, message: str, data: bytes) -> list[Draft]:
    """Somebody speaks to the task, or it speaks."""
    value = None if data == b"null" else Raw(data)
    return [_event(entry, "message", now, author, message=message, sender=author.sender, data=value)]


def retrying(entry: TaskEntry, author: Author | None, now: int, attempt: int, error: Fault | None) -> list[Draft]:
    """It is pending again after `attempt` attempts."""
    delay = max(0, entry.not_before - now)
    fault = None if error is None else to_builtins(error)
    return [_event(entry, "retrying", now, author, attempt=attempt, delay=delay, error=fault)]


def completed(entry: TaskEntry, author: Author, now: int) -> list[Draft]:
    result = None if entry.result is None else Raw(entry.result)
    return [_end(entry, author, now, result=result)]


def failed(entry: TaskEntry, author: Author | None, now: int) -> list[Draft]:
    return [_end(entry, author, now, error=to_builtins(entry.error), dead=entry.dead or None)]


def cancelled(entry: TaskEntry, author: Author, now: int) -> list[Draft]:
    return [_end(entry, author, now, reason=entry.reason)]


def _end(entry: TaskEntry, author: Author | None, now: int, **fields: Any) -> Draft:
    status = entry.state.value
    return _event(entry, status, now, author, status=status, duration=entry.duration, **fields)


def closed(entry: TaskEntry, author: Author, now: int) -> list[Draft]:
    return [_event(entry, "closed", now, author, reason=entry.reason)]


def resumed(entry: TaskEntry, author: Author, now: int) -> list[Draft]:
    return [_event(entry, "resumed", now, author, agentId=entry.spec.agent_id)]
