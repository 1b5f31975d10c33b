"""What the methods of tasks, queues and projects take. Times are in milliseconds."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Raw, field

from swarmwire_channels import Fault

from ...core.methods import Params

__all__ = [
    "AddProject",
    "Claim",
    "Clear",
    "Complete",
    "Fail",
    "Held",
    "ListProjects",
    "ListTasks",
    "Message",
    "OneProject",
    "OneTask",
    "Progress",
    "Reasoned",
    "Stats",
    "Status",
    "Submit",
    "UpdateProject",
]

_DAY = 86_400_000

_Name = Annotated[str, Meta(max_length=128)]
_Delay = Annotated[int, Meta(ge=0, le=366 * _DAY)]
_Lease = Annotated[int, Meta(ge=1_000, le=_DAY)]
_Priority = Annotated[int, Meta(ge=-(2**31), le=2**31)]
_Attempts = Annotated[int, Meta(ge=1, le=1_000)]
_Timeout = Annotated[int, Meta(ge=1, le=366 * _DAY)]
_Names = Annotated[list[_Name], Meta(min_length=1, max_length=100)]
_Token = Annotated[int, Meta(ge=0, le=2**53)]
_Text = Annotated[str, Meta(max_length=4_096)]
_Limit = Annotated[int, Meta(ge=0, le=1_000)]
_Offset = Annotated[int, Meta(ge=0, le=2**53)]
_Path = Annotated[str, Meta(max_length=4_096)]


class Submit(Params, kw_only=True):
    """A task that is to be done. Without an `id` the broker makes one."""

    type: _Name = ""
    payload: Raw = Raw(b"null")
    queue: _Name | None = None
    id: _Name | None = None
    priority: _Priority = 0
    delay: _Delay = 0
    max_attempts: _Attempts = 3
    backoff: _Delay = 1_000
    backoff_max: _Delay = 60_000
    lease: _Lease = 30_000
    timeout: _Timeout | None = None
    project: _Name | None = None
    agent_id: _Name | None = None
    metadata: dict[str, Any] | None = None


class Claim(Params, kw_only=True):
    """The next task of the first of these queues that has one; of these types only, where they are given."""

    queues: _Names = field(default_factory=lambda: ["default"])
    types: _Names | None = None
    worker: _Name | None = None
    wait: _Delay = 0
    lease: _Lease | None = None


class OneTask(Params, kw_only=True):
    id: _Name = ""


class Held(OneTask, kw_only=True):
    """A task that the caller has claimed: the token says so."""

    token: _Token


class Progress(Held, kw_only=True):
    progress: Annotated[float, Meta(ge=0, le=100)]
    message: _Text | None = None


class Complete(Held, kw_only=True):
    result: Raw = Raw(b"null")


class Fail(Held, kw_only=True):
    error: Fault
    retry: bool = True


class Message(OneTask, kw_only=True):
    message: _Text
    data: Raw = Raw(b"null")


class Reasoned(OneTask, kw_only=True):
    reason: _Text | None = None


class ListTasks(Params, kw_only=True):
    queue: _Name | None = None
    state: str | None = None
    project: _Name | None = None
    worker: _Name | None = None
    type: _Name | None = None
    limit: _Limit = 100
    offset: _Offset = 0


class Status(Params, kw_only=True):
    queue: _Name | None = None


class Clear(Params, kw_only=True):
    queue: _Name = ""


class Stats(Params, kw_only=True):
    queue: _Name | None = None
    period: Annotated[str, Meta(max_length=16)] = "1h"


class AddProject(Params, kw_only=True):
    path: _Path = ""
    id: _Name | None = None
    queue: _Name | None = None
    config: dict[str, Any] = field(default_factory=dict)


class OneProject(Params, kw_only=True):
    id: _Name = ""


class UpdateProject(OneProject, kw_only=True):
    path: _Path | None = None
    queue: _Name | None = None
    config: dict[str, Any] | None = None


class ListProjects(Params, kw_only=True):
    state: str | None = None
    limit: _Limit = 100
    offset: _Offset = 0
