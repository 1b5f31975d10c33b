"""A process that is a broker: how it is asked to end, and what makes it end at once."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import pytest_asyncio

from swarmwire_broker import process
from swarmwire_broker.server import Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals that a process sends itself are POSIX")


class SlowServer:
    """A server whose drain lasts until it is released."""

    def __init__(self) -> None:
        self.ask: Callable[[], object] = lambda: None
        self.started = asyncio.Event()
        self.draining = asyncio.Event()
        self.released = asyncio.Event()
        self.reloads = 0

    def when_asked_to_stop(self, callback: Callable[[], object]) -> None:
        self.ask = callback

    async def start(self) -> None:
        self.started.set()

    async def stop(self) -> None:
        self.draining.set()
        await self.released.wait()

    async def reload(self) -> None:
        self.reloads += 1


@pytest_asyncio.fixture
async def server() -> AsyncIterator[SlowServer]:
    yield SlowServer()
    gc.unfreeze()


async def serve(server: SlowServer) -> asyncio.Task[int]:
    serving = asyncio.create_task(process._serve(cast(Server, server), None))
    await server.started.wait()
    return serving


async def a_few_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_stop_that_is_asked_for_again_does_not_cut_the_drain_short(server: SlowServer) -> None:
    serving = await serve(server)
    server.ask()
    await server.draining.wait()
    server.ask()
    await a_few_turns()
    assert not serving.done()
    server.released.set()
    assert await serving == 0


async def test_a_signal_while_it_drains_cuts_it_short(server: SlowServer) -> None:
    serving = await serve(server)
    server.ask()
    await server.draining.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await serving == 1


async def test_a_terminal_that_goes_says_so_as_often_as_it_likes(
    server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal: list[Any] = [True]
    monkeypatch.setattr(process, "_has_terminal", lambda: bool(terminal))
    serving = await serve(server)
    terminal.clear()
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(10):
            await server.draining.wait()
    await a_few_turns()
    assert (serving.done(), server.reloads) == (False, 0)
    server.released.set()
    assert await serving == 0
