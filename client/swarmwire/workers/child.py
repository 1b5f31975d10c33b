"""A worker's process, as its pool sees it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final, TypeVar

import msgspec

from .inheritance import end_family, name_of, start_options
from .post import SPARE, Post, Report, Stop

__all__ = ["ChildState", "WorkerChild", "settle"]

_MODULE: Final = "swarmwire.workers.process"
_LAST_WORDS: Final = 1.0
"""Seconds for what it said before its end; a process that it has left behind may hold the pipe open."""

T = TypeVar("T")


class ChildState(Enum):
    """How far a worker's process is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class WorkerChild:
    """One process. It ends when it is told to, and when the pipe to it breaks because this process has ended.

    Keys pressed in the terminal do not reach it. `start` makes one.

    Attributes:
        post: where it works; `post.id` is its id in the registry.
        started_ms: when it was started, in milliseconds since 1970.
        loaded: done when its program was imported: False if that failed, which it has printed itself.
        up: done when it takes tasks (True) or has ended before (False).
        ended: done with its exit code.
    """

    def __init__(self, post: Post) -> None:
        loop = asyncio.get_running_loop()
        self.post = post
        self.started_ms = round(time.time() * 1000)
        self.loaded: asyncio.Future[bool] = loop.create_future()
        self.up: asyncio.Future[bool] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.state = ChildState.STARTING
        self.stopped = False
        self._loop = loop
        self._orders: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @classmethod
    def start(cls, post: Post) -> WorkerChild:
        """Start a worker. Raises OSError where no process can be started."""
        child = cls(post)
        child._start()
        return child

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def is_up(self) -> bool:
        """Whether it takes tasks, or did before it was told to stop."""
        return self.state is not ChildState.ENDED and self.up.done()

    def stop(self, seconds: float) -> None:
        """Have it finish what it does; what takes longer is given back. Later calls can only shorten the time."""
        self.stopped = True
        if self.state is ChildState.ENDED:
            return
        self.state = ChildState.STOPPING
        self._order(Stop(seconds=seconds))
        at = self._loop.time() + seconds + SPARE
        if self._deadline is None or at < self._deadline.when():
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self._loop.call_at(at, self.kill)

    def kill(self) -> None:
        """End it, and what it has started, at once. Harmless when it has ended."""
        self.stopped = True
        if self._process is not None and self._process.returncode is None:
            end_family(self._process.pid)

    # ---- Inside

    def _start(self) -> None:
        their_orders, self._orders = os.pipe()
        reports, their_reports = os.pipe()
        try:
            command = [sys.executable, "-m", _MODULE, name_of(their_orders), name_of(their_reports)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, **start_options(their_orders, their_reports)
            )
        except BaseException:
            os.close(reports)
            self._close_orders()
            raise
        finally:
            os.close(their_orders)
            os.close(their_reports)
        self._order(self.post)
        # Daemons: a thread that waits for a process must not keep this one from ending.
        reader = threading.Thread(target=self._read, args=(reports,), name=f"reports of {self.pid}", daemon=True)
        reader.start()
        waiting = (self._process, reader)
        threading.Thread(target=self._wait, args=waiting, name=f"end of {self.pid}", daemon=True).start()

    def _order(self, order: Post | Stop) -> None:
        if self._orders is not None:
            with suppress(OSError):  # it has ended, which the thread that waits for it tells
                os.write(self._orders, msgspec.json.encode(order) + b"\n")

    def _close_orders(self) -> None:
        if self._orders is not None:
            os.close(self._orders)
            self._orders = None

    def _read(self, reports: int) -> None:
        decoder = msgspec.json.Decoder(Report)
        with os.fdopen(reports, "rb") as lines:
            for line in lines:
                self._tell(self._take, decoder.decode(line))

    def _wait(self, process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        code = process.wait()
        reader.join(_LAST_WORDS)
        self._tell(self._gone, code)

    def _tell(self, callback: Callable[[T], None], argument: T) -> None:
        with suppress(RuntimeError):  # nobody listens any more
            self._loop.call_soon_threadsafe(callback, argument)

    def _take(self, report: Report) -> None:
        match report.word:
            case "loaded":
                settle(self.loaded, True)
            case "ready":
                if self.state is ChildState.STARTING:
                    self.state = ChildState.RUNNING
                settle(self.up, True)
            case "unusable":
                settle(self.loaded, False)

    def _gone(self, code: int) -> None:
        self.state = ChildState.ENDED
        if self._deadline is not None:
            self._deadline.cancel()
        self._close_orders()
        settle(self.loaded, False)
        settle(self.up, False)
        settle(self.ended, code)


def settle(future: asyncio.Future[T], value: T) -> None:
    """Answer whoever waits for it, unless it is answered already."""
    if not future.done():
        future.set_result(value)
