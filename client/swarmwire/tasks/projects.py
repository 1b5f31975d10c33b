"""Projects: a path with a queue and workers of its own, started and stopped together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["Project", "Projects"]


class Project(Struct, frozen=True, kw_only=True):
    """A project. `state` is running or stopped; times are in milliseconds since 1970."""

    id: str
    path: str
    queue: str
    state: str
    config: dict[str, Any]
    created_at: int
    changed_at: int


class Projects:
    """What can be done about projects: `client.projects`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def add(
        self,
        path: str,
        *,
        id: str | None = None,
        queue: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Project:
        """Make a project, which is stopped. Without an `id` the broker makes one; the queue is named like it."""
        return await self._ask("project.add", path=path, id=id, queue=queue, config=config or {})

    async def get(self, id: str) -> Project:
        """The project as it stands."""
        return await self._ask("project.status", id=id)

    async def list(self, *, state: str | None = None, limit: int = 100, offset: int = 0) -> list[Project]:
        """Projects in the order in which they were added."""
        answer = await self._client.call("project.list", {"state": state, "limit": limit, "offset": offset})
        return [_project(row) for row in answer["projects"]]

    async def start(self, id: str) -> Project:
        """Let its queue give out tasks, and its workers work."""
        return await self._ask("project.start", id=id)

    async def stop(self, id: str) -> Project:
        """Have its queue give out nothing, and its workers end."""
        return await self._ask("project.stop", id=id)

    async def restart(self, id: str) -> Project:
        """Restart its workers; its queue gives out tasks."""
        return await self._ask("project.restart", id=id)

    async def update(
        self, id: str, *, path: str | None = None, queue: str | None = None, config: Mapping[str, Any] | None = None
    ) -> Project:
        """Change what is given; the rest stays."""
        return await self._ask("project.update", id=id, path=path, queue=queue, config=config)

    async def remove(self, id: str) -> Project:
        """Forget it; its queue is not held by it any more, and its tasks stay."""
        return await self._ask("project.remove", id=id)

    async def _ask(self, method: str, **params: Any) -> Project:
        return _project((await self._client.call(method, params))["project"])


def _project(row: Any) -> Project:
    return msgspec.convert(row, Project)
