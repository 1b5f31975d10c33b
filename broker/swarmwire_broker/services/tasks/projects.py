"""The service of projects: a name for a path, whose queue gives out tasks only while the project runs."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Raw, Struct, structs

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import encode_segment

from ...core.identity import Author
from ...core.methods import Asked, Method
from ...engines.entry import Draft
from ..checks import check_name, check_size, missing
from ..keylocks import KeyLocks
from ..ledger import Ledger
from ..shared import Shared
from ..telling import told
from .params import AddProject, ListProjects, OneProject, UpdateProject
from .queues import Queues
from .tasks import Tasks

__all__ = ["Change", "Follower", "ProjectEntry", "ProjectState", "Projects"]


class ProjectState(StrEnum):
    """Whether the queue of a project gives out tasks, and its workers work."""

    RUNNING = "running"
    STOPPED = "stopped"


class Change(StrEnum):
    """What has become of a project, for whoever follows it."""

    STARTED = "started"
    STOPPED = "stopped"
    RESTARTED = "restarted"
    REMOVED = "removed"


Follower: TypeAlias = Callable[[str, Change], Awaitable[None]]
"""Called with the id of a project and its change, once that is stored; the answer to the operator waits for it."""


class ProjectEntry(Struct, frozen=True, kw_only=True):
    """A project as it stands in the ledger; `config` is JSON that belongs to whoever works for it."""

    id: str
    path: str
    queue: str
    state: ProjectState
    config: bytes
    created_at: int
    changed_at: int


_EVENTS: Final = ("added", "removed", "status-changed")


class Projects:
    """The projects. One that is stopped holds its queue; a new one is stopped until it is started."""

    def __init__(self, shared: Shared, tasks: Tasks, queues: Queues) -> None:
        self._shared = shared
        self._now = shared.hub.clock.now_ms
        self._queues = queues
        self._ledger = Ledger(shared.engine, "project/", ProjectEntry)
        self._locks = KeyLocks()
        self._followers: list[Follower] = []
        self._coming = 0
        tasks.orders.queue_of = self.queue_of
        shared.hub.publishing.reserve(*(f"project.*.{event}" for event in _EVENTS))

    def methods(self) -> list[Method]:
        return [
            Method("project.list", ListProjects, self._list, looks=True),
            Method("project.add", AddProject, self._add),
            Method("project.remove", OneProject, self._remove),
            Method("project.status", OneProject, self._status, looks=True),
            Method("project.start", OneProject, self._start),
            Method("project.stop", OneProject, self._stop),
            Method("project.restart", OneProject, self._restart),
            Method("project.update", UpdateProject, self._update),
        ]

    async def start(self) -> None:
        await self._ledger.load()
        for _, entry in self._ledger.items():
            self._changed(None, entry)

    def close(self) -> None:
        """Nothing happens by itself here."""

    # ---- for other services

    def follow(self, follower: Follower) -> None:
        """Have a coroutine function called at each start, stop, restart and removal of a project."""
        self._followers.append(follower)

    def queue_of(self, id: str) -> str | None:
        """The queue of a project; None where there is no such project."""
        entry = self._ledger.get(id)
        return None if entry is None else entry.queue

    def _changed(self, old: ProjectEntry | None, new: ProjectEntry | None) -> None:
        if new is not None and new.state is ProjectState.STOPPED:
            self._queues.hold(new.queue, new.id)
        if old is not None and (new is None or new.queue != old.queue or new.state is ProjectState.RUNNING):
            self._queues.release(old.queue, old.id)

    # ---- changes

    async def _write(self, old: ProjectEntry | None, new: ProjectEntry | None, event: str, author: Author) -> None:
        entry = new or old
        assert entry is not None
        events = [_event(entry, event, self._now(), author), *self._queue_events(old, new, author)]
        try:
            await self._ledger.write({entry.id: new}, events)
        finally:
            self._changed(old, self._ledger.get(entry.id))

    def _queue_events(self, old: ProjectEntry | None, new: ProjectEntry | None, author: Author) -> list[Draft]:
        events: list[Draft] = []
        if old is not None and (new is None or new.queue != old.queue):
            events += self._queues.held_change(old.queue, old.id, held=False, author=author)
        if new is not None:
            held = new.state is ProjectState.STOPPED
            events += self._queues.held_change(new.queue, new.id, held=held, author=author)
        return events

    async def _tell(self, id: str, change: Change) -> None:
        for follower in self._followers:
            await follower(id, change)

    def _find(self, id: str) -> ProjectEntry:
        entry = self._ledger.get(id)
        if entry is None:
            raise SwarmwireError(ErrorCode.NOT_FOUND, f"There is no project {id!a:.140}.", field="params.id")
        return entry

    # ---- methods

    async def _add(self, asked: Asked, params: AddProject) -> dict[str, Any]:
        if not params.path:
            raise missing("Project path", "path")
        id = secrets.token_hex(6) if params.id is None else params.id
        check_name(id, "Project ID", "id")
        queue = id if params.queue is None else params.queue
        check_name(queue, "Queue", "queue")
        now = self._now()
        new = ProjectEntry(
            id=id,
            path=params.path,
            queue=queue,
            state=ProjectState.STOPPED,
            config=self._config(params.config),
            created_at=now,
            changed_at=now,
        )
        async with self._locks.hold(id):
            if id in self._ledger:
                raise SwarmwireError(ErrorCode.CONFLICT, f"There is a project {id!a:.140}.", field="params.id")
            await self._store(new, asked.author)
        return {"project": _shown(new)}

    async def _store(self, new: ProjectEntry, author: Author) -> None:
        if len(self._ledger) + self._coming >= self._shared.limits.max_projects:
            sentence = f"The broker holds at most {self._shared.limits.max_projects} projects."
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence)
        self._queues.check_room(new.queue)
        self._coming += 1
        try:
            await self._write(None, new, "added", author)
        finally:
            self._coming -= 1

    def _config(self, config: dict[str, Any]) -> bytes:
        encoded = msgspec.json.encode(config)
        check_size(len(encoded), self._shared.limits.max_project_bytes, "config")
        return encoded

    async def _remove(self, asked: Asked, params: OneProject) -> dict[str, Any]:
        check_name(params.id, "Project ID", "id")
        async with self._locks.hold(params.id):
            old = self._find(params.id)
            await self._write(old, None, "removed", asked.author)
            await self._tell(params.id, Change.REMOVED)
        return {"project": _shown(old)}

    def _status(self, asked: Asked, params: OneProject) -> dict[str, Any]:
        check_name(params.id, "Project ID", "id")
        entry = self._find(params.id)
        return {"project": _shown(entry), "queue": self._queues.shown(entry.queue)}

    async def _start(self, asked: Asked, params: OneProject) -> dict[str, Any]:
        return await self._turn(asked, params.id, ProjectState.RUNNING, Change.STARTED)

    async def _stop(self, asked: Asked, params: OneProject) -> dict[str, Any]:
        return await self._turn(asked, params.id, ProjectState.STOPPED, Change.STOPPED)

    async def _restart(self, asked: Asked, params: OneProject) -> dict[str, Any]:
        return await self._turn(asked, params.id, ProjectState.RUNNING, Change.RESTARTED)

    async def _turn(self, asked: Asked, id: str, state: ProjectState, change: Change) -> dict[str, Any]:
        check_name(id, "Project ID", "id")
        async with self._locks.hold(id):
            old = self._find(id)
            if old.state is state and change is not Change.RESTARTED:
                return {"project": _shown(old)}
            new = structs.replace(old, state=state, changed_at=self._now())
            await self._write(old, new, "status-changed", asked.author)
            await self._tell(id, change)
            return {"project": _shown(new)}

    async def _update(self, asked: Asked, params: UpdateProject) -> dict[str, Any]:
        check_name(params.id, "Project ID", "id")
        async with self._locks.hold(params.id):
            old = self._find(params.id)
            changes: dict[str, Any] = {"changed_at": self._now()}
            if params.path is not None:
                if not params.path:
                    raise missing("Project path", "path")
                changes["path"] = params.path
            if params.queue is not None:
                check_name(params.queue, "Queue", "queue")
                self._queues.check_room(params.queue)
                changes["queue"] = params.queue
            if params.config is not None:
                changes["config"] = self._config(params.config)
            new = structs.replace(old, **changes)
            await self._write(old, new, "status-changed", asked.author)
            return {"project": _shown(new)}

    def _list(self, asked: Asked, params: ListProjects) -> dict[str, Any]:
        if params.state is not None and params.state not in list(ProjectState):
            sentence = f"Expected running or stopped, got {params.state!a:.40}."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.state")
        found = [entry for _, entry in self._ledger.items() if params.state in (None, entry.state.value)]
        page = found[params.offset : params.offset + params.limit]
        return {"count": len(found), "projects": [_shown(entry) for entry in page]}


def _shown(entry: ProjectEntry) -> dict[str, Any]:
    return {**structs.asdict(entry), "config": Raw(entry.config)}


def _event(entry: ProjectEntry, event: str, now: int, author: Author) -> Draft:
    data = {
        "projectId": entry.id,
        "timestamp": now,
        "path": entry.path,
        "queue": entry.queue,
        "status": entry.state.value,
    }
    return told(f"project.{encode_segment(entry.id)}.{event}", data, author)
