"""One place of a pool of workers: a process, and the next one when it has died."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from ..backoff import Backoff
from .child import ChildState, WorkerChild, settle

__all__ = ["PoolSlot"]

_log = logging.getLogger("swarmwire.workers")

_BASE: Final = 0.5
_CAP: Final = 30.0
"""Seconds before a process that died is replaced: they double up to this with each that dies soon again."""

_SETTLED: Final = 10.0
"""Seconds after which a process that runs has come up well, and what died before counts no more."""


class PoolSlot:
    """Keeps one worker running until `stop`.

    Attributes:
        child: the process of now, or the last one; None before the first.
        restarts: how many were started because one had died.
        given_up: whether more died in a row than `max_restarts` (None: no limit, 0: none is replaced).
        up: done when the first takes tasks (True), or has died before (False).
    """

    def __init__(self, start: Callable[[], WorkerChild], max_restarts: int | None) -> None:
        self._start = start
        self._max_restarts = max_restarts
        self._backoff = Backoff(_BASE, _CAP)
        self._stopping = asyncio.Event()
        self._seconds: float | None = None
        self.child: WorkerChild | None = None
        self.restarts = 0
        self.given_up = False
        loop = asyncio.get_running_loop()
        self.loaded: asyncio.Future[bool] = loop.create_future()
        self.up: asyncio.Future[bool] = loop.create_future()
        self.task = loop.create_task(self._run())

    @property
    def id(self) -> str | None:
        """The id of its worker."""
        return None if self.child is None else self.child.post.id

    @property
    def is_up(self) -> bool:
        """Whether its worker takes tasks, or did before it was told to stop."""
        return self.child is not None and self.child.is_up

    def order_stop(self, seconds: float) -> None:
        """Tell the worker to stop; what it cannot finish in so many seconds it gives back. Later calls shorten that."""
        self._stopping.set()
        self._seconds = seconds if self._seconds is None else min(seconds, self._seconds)
        if self.child is not None:
            self.child.stop(self._seconds)

    async def stop(self, seconds: float) -> None:
        """The same, and wait until it has ended."""
        self.order_stop(seconds)
        await asyncio.wait([self.task])

    def kill(self) -> None:
        """End the process at once; no other follows."""
        self._stopping.set()
        if self.child is not None:
            self.child.kill()

    def describe(self) -> dict[str, Any]:
        """What operators see."""
        child = self.child
        return {
            "id": self.id,
            "pid": None if child is None else child.pid,
            "state": self._state(),
            "restarts": self.restarts,
            "started_ms": None if child is None else child.started_ms,
        }

    def _state(self) -> str:
        if self.given_up:
            return "failed"
        if self.child is None:
            return "starting"
        if self.child.state is ChildState.ENDED and not self._stopping.is_set():
            return "restarting"
        return self.child.state.value

    # ---- Inside

    async def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                how = await self._live()
                if self._stopping.is_set() or not await self._may_go_on(how):
                    return
                self.restarts += 1
        finally:
            for future in (self.loaded, self.up):
                settle(future, False)

    async def _live(self) -> str:
        """Run one process; returns how it ended."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            child = self.child = self._start()
        except OSError as error:
            settle(self.up, False)
            return f"could not be started ({error.strerror})"
        _log.info("worker %s is process %d", child.post.id, child.pid)
        settle(self.loaded, await asyncio.shield(child.loaded))
        settle(self.up, await asyncio.shield(child.up))
        code = await asyncio.shield(child.ended)
        if loop.time() - begun >= _SETTLED:
            self._backoff.reset()
        how = f"{child.post.id} {_ending(code)}"
        if child.stopped:
            _log.info("worker %s", how)
        return how

    async def _may_go_on(self, how: str) -> bool:
        """Wait until the next is due; False if there is to be none."""
        if self._max_restarts is not None and self._backoff.attempt >= self._max_restarts:
            self.given_up = True
            _log.error("worker %s; it is not replaced, after %d restarts in a row", how, self._backoff.attempt)
            return False
        delay = self._backoff.next()
        _log.warning("worker %s; another is started in %.1f s", how, delay)
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()
        return not self._stopping.is_set()


def _ending(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"has ended with exit code {code}"
