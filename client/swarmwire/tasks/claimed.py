"""A task in the hands of a worker: kept by renewing its lease, and ended by leaving the block."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from ..errors import ErrorCode, SwarmwireError
from ..patience import Patience
from .records import NoRetry, Task, TaskLost, task_from

__all__ = ["Claim", "ClaimedTask"]

_log = logging.getLogger("swarmwire.tasks.tasks")

_POLL: Final = 20.0
"""Seconds that one call waits for a task."""

_SPARE: Final = 10.0
"""Seconds more than that after which no answer is expected any more."""

_GOODBYE: Final = 2.0
"""Seconds that giving a task back may take when the worker is cancelled."""

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
        """Renew the lease again and again; `lose` is called once the task is not ours any more."""
        due = min(self._lease / 3, max(0.0, self._deadline - self._patience.time()))
        self._timer = asyncio.get_running_loop().call_later(due, self._due, lose)

    def let_go(self) -> None:
        """Renew no more. Harmless twice."""
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

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
            self.keep(lose)
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


class Claim:
    """Waits for a task, and is the block in which it is done:

        async with client.tasks.claim("images", wait=30) as task:
            if task is not None:
                task.result = resize(task.payload)

    Leaving the block completes the task with its `result`. An exception fails it: the broker is told its type and
    text, it is logged, and goes no further, so that a loop of such blocks goes on. When the task is taken away the
    block is cancelled, and `TaskLost` raised. When the block itself is cancelled from outside the task is given back.
    """

    def __init__(self, patience: Patience, params: dict[str, Any], wait: float | None) -> None:
        self._patience = patience
        self._params = params
        self._wait = wait
        self._held: ClaimedTask | None = None
        self._body: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._has_cancelled = False
        self._undoing: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> ClaimedTask | None:
        self._held = await self._claim()
        if self._held is not None:
            self._body = asyncio.current_task()
            assert self._body is not None
            self._cancelling = self._body.cancelling()
            self._held.keep(self._lose)
        return self._held

    def _lose(self) -> None:
        if self._body is not None:
            self._has_cancelled = True
            self._body.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        task, body, self._body = self._held, self._body, None
        if task is None or body is None:
            return False
        try:
            return await self._leave(task, body, error)
        finally:
            task.let_go()

    async def _leave(self, task: ClaimedTask, body: asyncio.Task[Any], error: BaseException | None) -> bool:
        if task.lost is not None and not isinstance(error, TaskLost):
            if self._has_cancelled and body.uncancel() > self._cancelling and isinstance(error, asyncio.CancelledError):
                return False  # somebody else has cancelled it, too
            raise task.lost from (None if isinstance(error, asyncio.CancelledError) else error)
        match error:
            case None:
                await self._complete(task)
                return False
            case TaskLost():
                return False
            case Exception():
                await self._fail(task, error)
                return True
            case _:
                await self._release(task)
                return False

    async def _fail(self, task: ClaimedTask, error: Exception) -> None:
        _log.warning("task %s failed", task.id, exc_info=error)
        try:
            await task.fail(error)
        except TaskLost as lost:  # or a repeat, of which the answer was lost; the attempt is over in any case
            _log.warning("task %s was not ours any more: %s", task.id, lost)

    async def _complete(self, task: ClaimedTask) -> None:
        try:
            await task.complete()
        except TaskLost:
            raise
        except SwarmwireError as error:
            if error.code in (ErrorCode.INVALID_MESSAGE, ErrorCode.MESSAGE_TOO_LARGE):
                await task.fail(NoRetry(f"The result cannot be stored: {error.message}"))
            raise

    async def _release(self, task: ClaimedTask) -> None:
        try:
            async with asyncio.timeout(_GOODBYE):
                await task.release()
        except (SwarmwireError, TimeoutError) as error:
            _log.warning("task %s could not be given back: %s", task.id, error)

    # ---- getting one

    async def _claim(self) -> ClaimedTask | None:
        until = None if self._wait is None else self._patience.time() + self._wait
        while True:
            sent = self._patience.time()
            wait = _POLL if until is None else min(_POLL, max(0.0, until - sent))
            try:
                answer = await self._ask(wait)
            except SwarmwireError as error:
                if not self._patience.is_passing(error):
                    raise
                if not await self._patience.ready(until):
                    if until is not None and self._patience.time() >= until:
                        return None
                    raise
                continue
            if answer["task"] is not None:
                return ClaimedTask(self._patience, answer["task"], sent)
            if until is not None and self._patience.time() >= until:
                return None

    async def _ask(self, wait: float) -> Any:
        params = {**self._params, "wait": round(wait * 1000)}
        return await self._patience.call_undoable("task.claim", params, wait + _SPARE, self._undo)

    def _undo(self, answer: Any) -> None:
        """Nobody waits any more for a task that was given: give it back."""
        if answer["task"] is not None:
            task = ClaimedTask(self._patience, answer["task"], self._patience.time())
            giving = asyncio.ensure_future(self._release(task))
            self._undoing.add(giving)
            giving.add_done_callback(self._undoing.discard)
