"""A task in the hands of a worker: kept by renewing its lease, and ended by leaving the block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from ..errors import ErrorCode, SwarmwireError
from ..patience import Patience
from .records import NoRetry, Task, TaskLost, task_from

__all__ = ["ClaimedTask"]

_LONGEST_TEXT: Final = 2_000

_TAKEN: Final = (ErrorCode.FENCED, ErrorCode.CANCELLED, ErrorCode.NOT_FOUND, ErrorCode.PERMISSION_DENIED)


class ClaimedTask:
    """A task that is ours, as long as its lease is renewed, which happens by itself. Made by `client.tasks.claim`.

    Attributes:
        id, type, queue, payload, metadata, priority, project, agent_id: what was submitted.
        attempt: which attempt this is; the first is 1.
        token: rises with every claim of any task: whoever writes results elsewhere can refuse a lower one.
        result: what the task ends with when the block is left; anything that JSON can hold.
    """

    def __init__(self, patience: Patience, data: dict[str, Any], sent: float) -> None:
        self._patience = patience
        self.task: Task = task_from(data)
        self.id = self.task.id
        self.type = self.task.type
        self.queue = self.task.queue
        self.payload: Any = self.task.payload
        self.metadata = self.task.metadata
        self.priority = self.task.priority
        self.project = self.task.project
        self.agent_id = self.task.agent_id
        self.attempt = self.task.attempts
        self.token: int = data["token"]
        self.result: Any = None
        self.lost: TaskLost | None = None
        """Why it is not ours any more; None while it is."""
        self._lease: float = data["lease"] / 1000
        self._deadline = sent + self._lease
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Future[None] | None = None
        self._forget: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<ClaimedTask {self.id!r} of type {self.type!r}, attempt {self.attempt}>"

    async def progress(self, progress: float, message: str | None = None) -> None:
        """Say how far it is, from 0 to 100. The lease is renewed by it.

        Raises:
            TaskLost: the task is not ours any more.
            SwarmwireError: what else the broker answered.
        """
        sent = self._patience.time()
        await self._say("task.progress", {"progress": progress, "message": message})
        self._deadline = max(self._deadline, sent + self._lease)

    async def message(self, message: str, data: Any = None) -> None:
        """Say something to whoever follows the task."""
        params = {"id": self.id, "message": message, "data": data}
        await self._patience.call("task.message", params, self._deadline)

    async def _say(self, method: str, params: dict[str, Any]) -> Any:
        """Call with the token, over as many connections as it takes while the lease lasts."""
        if self.lost is not None:
            raise self.lost
        asked = {"id": self.id, "token": self.token, **params}
        try:
            return await self._patience.call(method, asked, self._deadline)
        except SwarmwireError as error:
            if _is_taken(error):
                self.lost = TaskLost(error.code, error.message)
                raise self.lost from error
            raise

    # ---- the lease

    def keep(self, lose: Callable[[], None]) -> None:
        """Renew the lease again and again, and by each new connection at once, which stands for us from then on.

        `lose` is called once the task is not ours any more.
        """
        self._forget = self._patience.at_connect(lambda: self._connected(lose))
        self._plan(lose)

    def _plan(self, lose: Callable[[], None]) -> None:
        due = min(self._lease / 3, max(0.0, self._deadline - self._patience.time()))
        self._timer = asyncio.get_running_loop().call_later(due, self._due, lose)

    def let_go(self) -> None:
        """Renew no more. Harmless twice."""
        if self._forget is not None:
            self._forget()
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

    def _connected(self, lose: Callable[[], None]) -> None:
        if self._timer is not None and self.lost is None and (self._renewing is None or self._renewing.done()):
            self._timer.cancel()
            self._due(lose)

    def _due(self, lose: Callable[[], None]) -> None:
        self._renewing = asyncio.ensure_future(self._renew(lose))

    async def _renew(self, lose: Callable[[], None]) -> None:
        sent = self._patience.time()
        params = {"id": self.id, "token": self.token}
        try:
            await self._patience.call("task.renew", params, self._deadline, timeout=max(0.1, self._lease / 3))
        except SwarmwireError as error:
            if _is_taken(error):
                self.lost = TaskLost(error.code, error.message)
            elif self._patience.time() >= self._deadline:
                self.lost = TaskLost(ErrorCode.FENCED, f"The lease of {self._lease:g} s lapsed without a renewal.")
        else:
            self._deadline = sent + self._lease
        if self.lost is None:
            self._plan(lose)
        else:
            lose()

    # ---- the end

    async def complete(self) -> None:
        """End it with its `result`. Raises as `progress`."""
        await self._say("task.complete", {"result": self.result})

    async def fail(self, error: BaseException) -> None:
        """End the attempt: it is tried again later, unless the error is `NoRetry` or no attempt is left."""
        code = type(error).__name__
        text = error.message if isinstance(error, SwarmwireError) else str(error)
        fault = {"message": (text or code)[:_LONGEST_TEXT], "code": code}
        await self._say("task.fail", {"error": fault, "retry": not isinstance(error, NoRetry)})

    async def release(self) -> None:
        """Give it back as if it had not been claimed."""
        await self._say("task.release", {})


def _is_taken(error: SwarmwireError) -> bool:
    """Whether the error says that the task is not ours. A call that was given up is CANCELLED, too, without a field."""
    return error.code in _TAKEN and error.field is not None
