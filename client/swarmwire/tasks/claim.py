"""Waiting for a task, and the block in which it is done."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any, Final

from ..errors import ErrorCode, SwarmwireError
from ..patience import Patience
from .claimed import ClaimedTask
from .records import NoRetry, TaskLost
from .revocations import Revocations

__all__ = ["Claim"]

_log = logging.getLogger("swarmwire.tasks")

_POLL: Final = 20.0
"""Seconds that one call waits for a task."""

_SPARE: Final = 10.0
"""Seconds more than that after which no answer is expected any more."""

_GOODBYE: Final = 2.0
"""Seconds that giving a task back may take when the worker is cancelled."""


class Claim:
    """Waits for a task, and is the block in which it is done:

        async with client.tasks.claim("images", wait=30) as task:
            if task is not None:
                task.result = resize(task.payload)

    Leaving the block completes the task with its `result`. An exception fails it: the broker is told its type and
    text, it is logged, and goes no further, so that a loop of such blocks goes on. When the task is taken away the
    block is cancelled, and `TaskLost` raised. When the block itself is cancelled from outside the task is given back.
    """

    def __init__(
        self, patience: Patience, revocations: Revocations, params: dict[str, Any], wait: float | None
    ) -> None:
        self._patience = patience
        self._revocations = revocations
        self._params = params
        self._wait = wait
        self._held: ClaimedTask | None = None
        self._body: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._has_cancelled = False
        self._undoing: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> ClaimedTask | None:
        with self._revocations.claiming():
            self._held = await self._claim()
            if self._held is not None:
                self._body = asyncio.current_task()
                assert self._body is not None
                self._cancelling = self._body.cancelling()
                self._held.keep(self._lose)
                self._revocations.hold(self._held.token, self._revoked)
        return self._held

    def _revoked(self, lost: TaskLost) -> None:
        if self._held is not None and self._body is not None and self._held.lost is None:
            self._held.lost = lost
            self._held.let_go()
            self._lose()

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
            self._revocations.let_go(task.token)

    async def _leave(self, task: ClaimedTask, body: asyncio.Task[Any], error: BaseException | None) -> bool:
        if self._has_cancelled and body.uncancel() > self._cancelling and isinstance(error, asyncio.CancelledError):
            return False  # somebody else has cancelled it, too
        if task.lost is not None and not isinstance(error, TaskLost):
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
