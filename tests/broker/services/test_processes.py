"""A process that ends frees at once what it held, however long its leases are."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from swarmwire import Will, connect
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.session import Session
from swarmwire_broker.services.processes import CAN_WATCH, Processes
from swarmwire_broker.testing import BrokerFactory

from ..core.fakes import World

pytestmark = pytest.mark.skipif(not CAN_WATCH, reason="this system does not tell of the end of processes")

BEING = """
import asyncio, sys
from swarmwire import Will, connect

async def be_there():
    async with connect(sys.argv[1]) as client:
        me = await client.registry.register("held", kind="agent", id="held", ttl=30, will=Will("will.held", "dead"))
        print("ready", flush=True)
        await me.lost

asyncio.run(be_there())
"""


def session_of(pid: int | None) -> Session:
    client = World().connect()
    return Session(client.world.hub, client.sink, Peer(transport="test", pid=pid))


class Deaths:
    """The deaths that were told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._news = asyncio.Event()

    def of(self, name: str) -> Callable[[], None]:
        def died() -> None:
            self.told.append(name)
            self._news.set()

        return died

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told


def being(url: str) -> Popen[bytes]:
    return Popen([sys.executable, "-c", BEING, url], stdout=PIPE)


def sleeper() -> Popen[bytes]:
    return Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=PIPE)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the process of a Unix socket's client")
async def test_a_process_killed_by_kill_9_is_gone_within_a_second_though_its_ttl_is_thirty(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory(unix=str(tmp_path / "s.sock"))
    url = f"unix://{tmp_path / 's.sock'}"
    process = being(url)
    try:
        assert process.stdout is not None
        assert (await asyncio.to_thread(process.stdout.readline)) == b"ready\n"
        async with connect(url) as client, client.subscribe("will.#") as wills, client.registry.watch() as watch:
            assert (await anext(watch)).being.id == "held"
            killed = time.monotonic()
            process.send_signal(signal.SIGKILL)
            async with asyncio.timeout(10):
                changes = [(await anext(watch)).event for _ in range(2)]
                will = await anext(wills)
            assert changes == ["suspect", "gone"]
            assert (will.topic, will.data) == ("will.held", "dead")
            assert time.monotonic() - killed < 1.0
            assert await client.registry.list() == []
        assert server.broker.hub.engine.head == 4  # registered, suspect, gone and the will, once each
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs the process of a Unix socket's client")
async def test_a_lost_connection_of_a_process_that_lives_is_left_to_its_ttl(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    await broker_factory(unix=str(tmp_path / "s.sock"))
    url = f"unix://{tmp_path / 's.sock'}"
    async with (
        connect(url) as watching,
        watching.registry.watch() as watch,
        connect(url, base_delay=0.0) as client,
        client.registry.register("a", kind="agent", will=Will("will.a", 1)) as me,
    ):
        assert client._supervisor._session is not None
        client._supervisor._session._connection.abort()
        async with asyncio.timeout(10):
            assert [(await anext(watch)).event for _ in range(3)] == ["registered", "suspect", "online"]
        assert me.state.name == "HERE"


async def test_each_that_waits_for_a_process_is_told_once() -> None:
    processes, deaths, process = Processes(lambda: 10), Deaths(), sleeper()
    session = session_of(process.pid)
    for name in ("a", "b"):
        processes.watch(session, deaths.of(name))
    assert (len(processes), deaths.told) == (1, [])
    process.kill()
    assert await deaths.until(2) == ["a", "b"]
    assert len(processes) == 0
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


async def test_a_process_that_has_ended_already_is_told_of_at_once() -> None:
    processes, deaths, process = Processes(lambda: 10), Deaths(), sleeper()
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    processes.watch(session_of(process.pid), deaths.of("a"))
    assert await deaths.until(1) == ["a"]


async def test_a_client_whose_process_is_not_known_is_never_said_to_be_dead() -> None:
    processes, deaths = Processes(lambda: 10), Deaths()
    processes.watch(session_of(None), deaths.of("a"))
    assert (len(processes), deaths.told) == (0, [])


async def test_with_one_process_too_many_the_one_watched_longest_is_let_go() -> None:
    processes, deaths = Processes(lambda: 2), Deaths()
    sleepers = [sleeper() for _ in range(3)]
    before = len(os.listdir("/proc/self/fd"))
    for number, process in enumerate(sleepers):
        processes.watch(session_of(process.pid), deaths.of(str(number)))
    assert (len(processes), len(os.listdir("/proc/self/fd")) - before) == (2, 2)
    for process in sleepers:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
    assert sorted(await deaths.until(2)) == ["1", "2"]


async def test_nothing_is_left_open_after_a_close_which_is_harmless_twice() -> None:
    processes, deaths, process = Processes(lambda: 10), Deaths(), sleeper()
    before = len(os.listdir("/proc/self/fd"))
    processes.watch(session_of(process.pid), deaths.of("a"))
    processes.close()
    processes.close()
    assert len(os.listdir("/proc/self/fd")) == before
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    assert deaths.told == []


async def test_a_process_that_loses_connection_after_connection_costs_a_bounded_memory() -> None:
    processes, deaths, process = Processes(lambda: 10), Deaths(), sleeper()
    session = session_of(process.pid)
    for number in range(300):
        processes.watch(session, deaths.of(str(number)))
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    assert await deaths.until(256) == [str(number) for number in range(44, 300)]
