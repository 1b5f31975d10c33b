"""The clock of the running event loop: the one place where the core's time and turns meet asyncio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from time import time as _time
from typing import Any

from .core.ports import Timer

__all__ = ["LoopClock"]

log = logging.getLogger("swarmwire.broker")


class LoopClock:
    """Time and turns of an asyncio loop. Work it spawns is supervised: what fails is logged, never lost.

    `close` gives up what still runs, but not the work that calls it; it is harmless twice.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.time = monotonic  # what loops count in too, but theirs may stand still for a turn

    def now_ms(self) -> int:
        return int(_time() * 1000)

    def call_soon(self, callback: Callable[[], object]) -> Timer:
        return self._loop.call_soon(callback)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return self._loop.call_later(delay, callback)

    def spawn(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def promise(self) -> asyncio.Future[Any]:
        return self._loop.create_future()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed", exc_info=error)

    async def close(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
