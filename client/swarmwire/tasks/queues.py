"""Queues of tasks: what they hold, and whether they give out tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["Queue", "Queues"]


class Queue(Struct, frozen=True, kw_only=True):
    """A queue: how many tasks it holds, by state.

    Attributes:
        status: `open`, `paused` (by an operator) or `held` (by the projects in `held_by`, which are stopped).
        dead: how many of the failed tasks had no attempt left.
    """

    name: str
    status: str
    paused: bool
    held_by: list[str]
    total: int
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    closed: int
    dead: int


class Queues:
    """What can be done about queues: `client.queues`. A queue needs no making: it is there where a task is."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, name: str) -> Queue:
        """The queue as it stands; all zeros where there is none."""
        answer = await self._client.call("queue.status", {"queue": name})
        return _queue(answer["queues"][0])

    async def list(self) -> list[Queue]:
        """All queues that hold a task, are paused or are held, by name."""
        answer = await self._client.call("queue.status")
        return [_queue(row) for row in answer["queues"]]

    async def pause(self, name: str) -> Queue:
        """Give out no task until `resume`. What is in hand goes on; submitting goes on, too."""
        return _queue(await self._client.call("queue.pause", {"queue": name}))

    async def resume(self, name: str) -> Queue:
        """Give out tasks again."""
        return _queue(await self._client.call("queue.resume", {"queue": name}))

    async def clear(self, name: str) -> int:
        """Cancel every pending task; returns how many there were."""
        cleared: int = (await self._client.call("queue.clear", {"queue": name}))["cleared"]
        return cleared

    async def stats(self, name: str | None = None, period: str = "1h") -> dict[str, Any]:
        """Counts, rates, waits and durations of a queue, or of all, in the last hour at most."""
        figures: dict[str, Any] = await self._client.call("queue.stats", {"queue": name, "period": period})
        return figures


def _queue(row: Any) -> Queue:
    return msgspec.convert(row, Queue)
