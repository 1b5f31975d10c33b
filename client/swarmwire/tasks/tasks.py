"""Tasks: submitted by anybody, done by one worker at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..errors import ErrorCode, SwarmwireError
from ..patience import Patience
from .claim import Claim
from .claimed import ClaimedTask
from .records import NoRetry, Submitted, Task, TaskFault, TaskLost, task_from
from .revocations import Revocations

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["Claim", "ClaimedTask", "NoRetry", "Submitted", "Task", "TaskFault", "TaskLost", "Tasks"]

_POLL: Final = 25.0
"""Seconds that one call waits for the end of a task."""


class Tasks:
    """What can be done about tasks: `client.tasks`. Times are in seconds.

    Raises, everywhere: SwarmwireError with what the broker answered, such as NOT_FOUND or CONFLICT.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._patience = Patience(client)
        self._revocations = Revocations()
        client._core.direct.taken = self._revocations.take

    async def submit(
        self,
        type: str,
        payload: Any = None,
        *,
        queue: str | None = None,
        id: str | None = None,
        priority: int = 0,
        delay: float = 0.0,
        max_attempts: int = 3,
        backoff: float = 1.0,
        backoff_max: float = 60.0,
        lease: float = 30.0,
        timeout: float | None = None,
        project: str | None = None,
        agent_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Submitted:
        """Have something done: by whoever claims tasks of this queue and type.

        Args:
            type: what kind of work it is; `payload` is what the worker needs to know, anything that JSON can hold.
            queue: "default", or the queue of the project.
            id: submitted again with the same id and content it is the same task, and `duplicate` is true; with other
                content it is CONFLICT. By default a random one.
            priority: higher goes first.
            delay: the time before which no worker gets it.
            max_attempts: how often it may be claimed before it has failed for good.
            backoff: the time until the second attempt after a failure; it doubles from attempt to attempt, up to
                `backoff_max`.
            lease: the time after which a silent worker loses it.
            timeout: how long one attempt may take.

        If the connection is lost before the answer, it is asked again on the next one, for as long as a request may
        take; the id makes that harmless.
        """
        params = {
            "type": type,
            "payload": payload,
            "queue": queue,
            "id": secrets.token_hex(8) if id is None else id,
            "priority": priority,
            "delay": _ms(delay),
            "max_attempts": max_attempts,
            "backoff": _ms(backoff),
            "backoff_max": _ms(backoff_max),
            "lease": _ms(lease),
            "timeout": None if timeout is None else _ms(timeout),
            "project": project,
            "agent_id": agent_id,
            "metadata": metadata,
        }
        answer = await self._patience.call("task.submit", params, self._patience.until())
        duplicate = answer["duplicate"] and id is not None  # what we have repeated ourselves is no duplicate
        return msgspec.convert({**answer["task"], "duplicate": duplicate}, Submitted)

    def claim(
        self,
        *queues: str,
        types: Sequence[str] | None = None,
        worker: str | None = None,
        wait: float | None = None,
        lease: float | None = None,
    ) -> Claim:
        """The next task of these queues, as a block in which it is done; see `Claim`.

        Args:
            queues: the first one that has a task gives it; without any, "default".
            types: take only these types of tasks.
            worker: what others see as the name of who does it; by default the identity of the client.
            wait: how long to wait for a task; the block gets None if there is none until then. None: for ever.
            lease: the time after which the broker gives it to another if nothing is heard; None: as submitted.
        """
        params: dict[str, Any] = {"types": None if types is None else list(types), "worker": worker}
        if queues:
            params["queues"] = list(queues)
        if lease is not None:
            params["lease"] = _ms(lease)
        return Claim(self._patience, self._revocations, params, wait)

    async def get(self, id: str) -> Task:
        """The task as it stands now, with payload and result."""
        return task_from((await self._call("task.status", id=id))["task"])

    async def list(
        self,
        *,
        queue: str | None = None,
        state: str | None = None,
        project: str | None = None,
        worker: str | None = None,
        type: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Task]:
        """Tasks in the order in which they were submitted, without their payloads and results."""
        answer = await self._call(
            "task.list",
            queue=queue,
            state=state,
            project=project,
            worker=worker,
            type=type,
            limit=limit,
            offset=offset,
        )
        return [task_from(task) for task in answer["tasks"]]

    async def wait(self, id: str, timeout: float | None = None) -> Task:
        """The task once it was completed, has failed or was cancelled, whether that is so already or is to come.

        It goes on over lost connections. None waits for ever.

        Raises:
            TimeoutError: naming the task, if it had not ended in time.
        """
        until = None if timeout is None else self._patience.time() + timeout
        while True:
            left = _POLL if until is None else until - self._patience.time()
            if left <= 0:
                raise TimeoutError(f"The task {id!r} had not ended after {timeout:g} s.")
            wait = min(_POLL, left)
            try:
                return await self._ended(id, wait, until)
            except SwarmwireError as error:
                if error.code is not ErrorCode.TIMEOUT and not self._patience.is_passing(error):
                    raise

    async def _ended(self, id: str, wait: float, until: float | None) -> Task:
        params = {"id": id}
        answer = await self._patience.call("task.wait", params, until, timeout=wait)
        return task_from(answer["task"])

    async def cancel(self, id: str, reason: str | None = None) -> Task:
        """End it, whoever works on it: their block is cancelled at once."""
        return await self._changed("task.cancel", id=id, reason=reason)

    async def close(self, id: str, reason: str | None = None) -> Task:
        """Put it away, to be resumed; whoever works on it loses it."""
        return await self._changed("task.close", id=id, reason=reason)

    async def resume(self, id: str) -> Task:
        """Let a task that was put away be done."""
        return await self._changed("task.resume", id=id)

    async def retry(self, id: str) -> Task:
        """A new task like this one, which has ended; its end is final."""
        return await self._changed("task.retry", id=id)

    async def message(self, id: str, message: str, data: Any = None) -> None:
        """Say something to whoever works on it or follows it, as an event `task.<id>.message`."""
        await self._call("task.message", id=id, message=message, data=data)

    async def _changed(self, method: str, **params: Any) -> Task:
        return task_from((await self._call(method, **params))["task"])

    async def _call(self, method: str, **params: Any) -> Any:
        return await self._client.call(method, params)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
