"""The program of a pool's worker: `python -m swarmwire.workers.process`, which only a pool starts.

It imports a module, and lets the worker that it finds there take tasks until the pool says stop, or is gone.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

import msgspec

from ..errors import SwarmwireError
from ..opening import connect
from .inheritance import inherited
from .post import ORPHANED, SPARE, Post, Report, Stop, Word
from .worker import Worker

__all__ = ["Lifeline", "Unusable", "load", "main"]


class Unusable(Exception):
    """There is no worker where one was said to be. The sentence says what is there."""


class Lifeline:
    """What the pool says, heard in a thread of its own, so that a program that blocks its loop hears it too.

    Where the worker does not stop in its time, the process is ended; what it held goes back by its lease.
    """

    def __init__(self, orders: IO[bytes]) -> None:
        self._orders = orders
        self._lock = threading.Lock()
        self._stopper: Callable[[float], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        threading.Thread(target=self._listen, name="swarmwire-lifeline", daemon=True).start()

    def hold(self, stop: Callable[[float], object], loop: asyncio.AbstractEventLoop) -> None:
        """From here `stop` is called, in the loop; before, nothing was begun, and the process just ends."""
        with self._lock:
            self._stopper, self._loop = stop, loop

    def _listen(self) -> None:
        with suppress(OSError):
            for line in self._orders:
                self._stop(msgspec.json.decode(line, type=Stop).seconds)
        self._stop(ORPHANED)

    def _stop(self, seconds: float) -> None:
        with self._lock:
            if self._stopper is None or self._loop is None:
                os._exit(0)
            with suppress(RuntimeError):  # the loop is closed: it is ending already
                self._loop.call_soon_threadsafe(self._stopper, seconds)
        end = threading.Timer(seconds + SPARE, os._exit, (1,))
        end.daemon = True
        end.start()


def load(target: str) -> Worker:
    """The worker at `module:attribute`; without an attribute the one called `worker`, or the only one there is.

    Raises:
        Unusable: there is none. What importing raises is raised as it is.
    """
    name, _, attribute = target.partition(":")
    module = importlib.import_module(name)
    if attribute:
        return _checked(target, getattr(module, attribute, None))
    found = {key: value for key, value in vars(module).items() if isinstance(value, Worker)}
    if "worker" in found:
        return found["worker"]
    if len({id(each) for each in found.values()}) == 1:
        return next(iter(found.values()))
    names = ", ".join(sorted(found)) or "none"
    raise Unusable(f"Expected one Worker in the module {name}, found {names}; name it: {name}:ATTRIBUTE.")


def _checked(target: str, found: Any) -> Worker:
    if isinstance(found, Worker):
        return found
    raise Unusable(f"Expected a Worker at {target}, found {'nothing' if found is None else type(found).__name__}.")


def main(arguments: list[str]) -> int:
    """Work until told to stop; returns the exit code."""
    orders = os.fdopen(inherited(arguments[0], os.O_RDONLY), "rb")
    reports = inherited(arguments[1], os.O_WRONLY)
    line = orders.readline()
    if not line:
        return 0  # the pool has ended before it said anything
    post = msgspec.json.decode(line, type=Post)
    lifeline = Lifeline(orders)
    worker = _loaded(post)
    if worker is None:
        _report(reports, "unusable")
        return 1
    _report(reports, "loaded")
    code = asyncio.run(_work(worker, post, lifeline, reports))
    if worker.abandoned:
        # A function that cannot be interrupted still runs in its thread, and would be waited for.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


async def _work(worker: Worker, post: Post, lifeline: Lifeline, reports: int) -> int:
    loop, work = asyncio.get_running_loop(), asyncio.current_task()
    assert work is not None
    runs = False

    def ready() -> None:
        nonlocal runs
        runs = True
        _report(reports, "ready")

    def stop(seconds: float | None = None) -> None:
        if runs:
            worker.stop(seconds)
        else:
            work.cancel()

    worker.take(post)
    lifeline.hold(stop, loop)
    with suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        name = f"worker of {post.pool}"
        async with connect(post.url, token=post.token, name=name, retry_first=True) as client:
            await worker.run(client, ready=ready)
    except asyncio.CancelledError:
        return 0
    except SwarmwireError as error:
        print(f"swarmwire: the worker {post.id} has ended: {error}", file=sys.stderr)
        return 1
    return 0


def _loaded(post: Post) -> Worker | None:
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return load(post.target)
    except Unusable as error:
        print(f"swarmwire: {error}", file=sys.stderr)
    except BaseException as error:  # a program that ends itself is no worker either
        trace = _own_part(error)
        traceback.print_exception(type(error), error.with_traceback(trace), trace)
        print(f"swarmwire: {post.target} cannot be imported", file=sys.stderr)
    return None


def _own_part(error: BaseException) -> Any:
    """The traceback from where the program begins."""
    trace = error.__traceback__
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_machinery(file: str) -> bool:
    return file == __file__ or file == importlib.__file__ or file.startswith("<frozen importlib")


def _report(reports: int, word: Word) -> None:
    with suppress(OSError):  # the pool is gone, which the lifeline hears too
        os.write(reports, msgspec.json.encode(Report(word=word)) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
