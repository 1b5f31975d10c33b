"""A process that is a broker and nothing else: its signals, its loop, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator

from .config import Config, ConfigError
from .ossignals import handled
from .server import Server

__all__ = ["run"]

log = logging.getLogger("swarmwire.broker.server")


class _End:
    """Whether the process is to end, and whether at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self.is_draining = False

    def signalled(self) -> None:
        """A first signal asks, one that comes while the broker drains insists."""
        (self.insisted if self.is_draining else self.asked).set()


def run(
    config: Config | Server,
    *,
    load: Callable[[], Config] | None = None,
    on_started: Callable[[Server], object] | None = None,
) -> int:
    """Serve until SIGTERM, SIGINT or a call of `daemon.stop`, then drain; the exit code. A second signal stops at once.

    `config` may be a server that is made, but not started. `load` reads the configuration again, which SIGHUP and
    `daemon.reload` ask for.

    Raises:
        ConfigError, OSError: what `Server` and its `start` raise.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        server = config if isinstance(config, Server) else Server(config, load=load)
        return runner.run(_serve(server, on_started))


async def _serve(server: Server, on_started: Callable[[Server], object] | None) -> int:
    end = _End()
    server.when_asked_to_stop(end.asked.set)
    with (
        handled(signal.SIGTERM, end.signalled),
        handled(signal.SIGINT, end.signalled),
        _hangups(server, end),
    ):
        await server.start()
        # What is here now stays; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        if on_started is not None:
            on_started(server)
        await end.asked.wait()
        end.is_draining = True
        log.info("draining")
        draining = asyncio.create_task(server.stop())
        again = asyncio.create_task(end.insisted.wait())
        await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not draining.done():
            draining.cancel()
            return 1
        draining.result()
    return 0


@contextlib.contextmanager
def _hangups(server: Server, end: _End) -> Iterator[None]:
    """SIGHUP, where there is one, has the configuration read again while this lasts; the log says how it went.

    Where it says that the terminal is gone which the process was started in, it is the end.
    """
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    loop = asyncio.get_running_loop()
    had_terminal = _has_terminal()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        if had_terminal and not _has_terminal():
            end.asked.set()  # the shell and the kernel may both say so: that is no second signal
            return
        task = loop.create_task(_reload(server))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    try:
        with handled(number, reload):
            yield
    finally:
        for task in list(reloads):
            task.cancel()


async def _reload(server: Server) -> None:
    try:
        with contextlib.suppress(ConfigError):  # it is logged, and nothing has changed
            await server.reload()
    except Exception:
        log.exception("the configuration could not be read again")


def _has_terminal() -> bool:
    """Whether there is still somebody in front of this process."""
    try:
        os.tcgetpgrp(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return True


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
