"""What the broker keeps of a task, and how it shows it."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, structs

from swarmwire_channels import Fault

from .states import ENDED, State

__all__ = ["TaskEntry", "TaskSpec", "summary", "view"]


class TaskSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was submitted. Times are in milliseconds; `payload` and `metadata` are JSON."""

    type: str
    queue: str
    payload: bytes = b"null"
    priority: int = 0
    delay: int = 0
    max_attempts: int = 3
    backoff: int = 1_000
    backoff_max: int = 60_000
    lease: int = 30_000
    timeout: int | None = None
    project: str | None = None
    agent_id: str | None = None
    metadata: bytes | None = None


class TaskEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task as it stands in the ledger. Times are in milliseconds since 1970.

    Attributes:
        order: its place among all tasks, by which those of one priority are done.
        not_before: no worker gets it earlier.
        attempts: claims that counted, the present one among them.
        token: of the present claim or the last one; 0 before the first.
        scope: whom the claim belongs to, as the broker knows them.
        lease: the length of the present claim's lease.
        dead: whether it failed because no attempt was left.
    """

    id: str
    spec: TaskSpec
    state: State
    order: int
    created_at: int
    ready_at: int
    not_before: int = 0
    attempts: int = 0
    token: int = 0
    scope: str | None = None
    worker: str | None = None
    lease: int = 0
    claimed_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    progress: float | None = None
    message: str | None = None
    result: bytes | None = None
    error: Fault | None = None
    reason: str | None = None
    dead: bool = False
    submitted_by: str | None = None
    retried_from: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def size(self) -> int:
        """What it takes of `max_tasks_bytes`."""
        given = len(self.spec.payload) + len(self.spec.metadata or b"") + len(self.result or b"")
        said = len(self.message or "") + len(self.reason or "")
        if self.error is not None:
            said += len(self.error.message) + len(self.error.code or "") + len(self.error.stack or "")
        return given + said

    @property
    def duration(self) -> int | None:
        """The milliseconds from its first claim to its end."""
        if self.ended_at is None or self.started_at is None:
            return None
        return max(0, self.ended_at - self.started_at)


_HIDDEN = frozenset({"spec", "order", "scope", "token", "lease", "ready_at", "result", "not_before"})
_LARGE = frozenset({"payload", "metadata"})


def summary(entry: TaskEntry) -> dict[str, Any]:
    """A task as lists show it: everything but its payload, metadata and result."""
    shown = {name: value for name, value in structs.asdict(entry.spec).items() if name not in _LARGE}
    shown |= {name: value for name, value in structs.asdict(entry).items() if name not in _HIDDEN}
    if entry.not_before and entry.state is State.PENDING:
        shown["not_before"] = entry.not_before
    if entry.duration is not None:
        shown["duration"] = entry.duration
    return {name: value for name, value in shown.items() if value is not None}


def view(entry: TaskEntry) -> dict[str, Any]:
    """A task with all that was submitted, and its result."""
    shown = summary(entry)
    shown["payload"] = Raw(entry.spec.payload)
    if entry.spec.metadata is not None:
        shown["metadata"] = Raw(entry.spec.metadata)
    if entry.result is not None:
        shown["result"] = Raw(entry.result)
    return shown
