"""One of the tasks that a worker does at a time: claimed, done, and the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..backoff import Backoff
from ..errors import Outcome, SwarmwireError

if TYPE_CHECKING:
    from ..tasks.tasks import ClaimedTask

__all__ = ["Claim", "Do", "WorkerSlot"]

_log = logging.getLogger("swarmwire.workers")

_BASE: Final = 0.1
_CAP: Final = 10.0
"""Seconds before it is asked again for a task after that failed."""

Claim: TypeAlias = Callable[[], "AbstractAsyncContextManager[ClaimedTask | None]"]
"""Waits for a task for a while; what it gives is None where there was none."""

Do: TypeAlias = Callable[["ClaimedTask"], Awaitable[Any]]
"""Does a task; returns its result."""


class WorkerSlot:
    """Takes one task after the other until it is stopped.

    Attributes:
        busy: whether it has a task in hand.
        task: what runs it. It fails with an error of the broker's that trying again does not help.
    """

    def __init__(self, claim: Claim, do: Do, ready: Callable[[], Awaitable[object]]) -> None:
        self._claim = claim
        self._do = do
        self._ready = ready
        self._backoff = Backoff(_BASE, _CAP)
        self._stopping = False
        self.busy = False
        self.task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Take no other task; the one in hand is done to its end."""
        self._stopping = True
        if not self.busy:
            self.task.cancel()

    def give_back(self) -> None:
        """Let go of the task in hand, too."""
        self._stopping = True
        self.task.cancel()

    async def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            while not self._stopping:
                await self._one()

    async def _one(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                task = await self._claimed(stack)
                if task is not None:
                    task.result = await self._do(task)
        except SwarmwireError as error:
            if not self.busy:
                raise
            # The task was cancelled, or is another's by now; the broker knows better than we do.
            _log.warning("a task is not ours any more: %s", error)
        finally:
            self.busy = False

    async def _claimed(self, stack: AsyncExitStack) -> ClaimedTask | None:
        try:
            task = await stack.enter_async_context(self._claim())
        except SwarmwireError as error:
            await self._after(error)
            return None
        self._backoff.reset()
        self.busy = task is not None
        return task

    async def _after(self, error: SwarmwireError) -> None:
        """Wait until asking again may help."""
        if not error.retry and error.outcome is Outcome.NOT_DONE:
            raise error
        delay = self._backoff.next()
        await asyncio.sleep(delay if error.retry_after_ms is None else max(delay, error.retry_after_ms / 1000))
        await self._ready()
