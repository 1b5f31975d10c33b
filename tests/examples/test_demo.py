"""The demo as a user starts it: everything lives, and nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from swarmwire import connect
from swarmwire_channels import parse_topic

from .program import PATIENCE, Program, program

EVENTS = {
    "agent": {"status", "health", "metrics", "log", "started", "stopped"},
    "task": {"created", "assigned", "started", "progress", "retrying", "completed", "failed"},
    "swarm": {"topology", "agent-joined", "agent-left", "state", "coordination"}
    | {"consensus", "vote", "decision", "choice"},
}
"""What is seen within seconds of any demo."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory with a little code to be read."""
    for number in range(4):
        (tmp_path / f"module{number}.py").write_text("def f():\n    return 1\n")
    return tmp_path


@asynccontextmanager
async def demo(code: Path, *arguments: object) -> AsyncIterator[tuple[Program, str]]:
    """The demo, running, and the address of its broker."""
    async with program("demo", code, "--port", 0, "--agents", 6, "--rate", 60, *arguments) as running:
        address = (await running.line(r"the dashboard is at http://(.*)/"))[1]
        yield running, f"ws://{address}/ws"


async def kinds_of_events(url: str) -> None:
    """Return when every kind of event was seen."""
    missing = {(kind, event) for kind, events in EVENTS.items() for event in events}
    try:
        async with asyncio.timeout(PATIENCE), connect(url) as client:
            async for event in client.subscribe("#", from_="start"):
                if (place := parse_topic(event.topic)) is not None:
                    missing.discard((event.topic.partition(".")[0], place[1]))
                if not missing:
                    return
    except TimeoutError:
        raise AssertionError(f"these were not seen: {sorted(missing)}") from None


def children(pid: int) -> set[int]:
    """The processes that this one has started, and those that they have."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def runs(pid: int) -> bool:
    """Whether there is this process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool]) -> None:
    """Return when it is so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def processes(running: Program, at_least: int) -> set[int]:
    """The processes of a demo, once there are so many."""
    await until(lambda: len(children(running.process.pid)) >= at_least)
    return children(running.process.pid)


ALL = 2 + 2 + 3
"""The broker, the code swarm, what keeps each of them, and the workers of the code swarm."""


async def test_every_kind_of_event_is_seen_and_every_transport_used(code: Path) -> None:
    async with demo(code) as (running, url):
        await kinds_of_events(url)
        async with connect(url) as client:
            clients = (await client.call("client.list", {"limit": 1000}))["clients"]
            queues = await client.call("queue.status")
        assert {client["transport"] for client in clients} >= {"websocket", "unix", "http"}
        assert queues["completed"] > 0
        assert await running.interrupt() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_and_all_its_processes(code: Path, number: signal.Signals) -> None:
    async with demo(code) as (running, _):
        pids = await processes(running, ALL)
        running.process.send_signal(number)
        assert await running.end() == 0
        assert not any(runs(pid) for pid in pids)
    assert running.lines[-1] == "ctrl-c ends it"


async def test_a_demo_that_is_killed_takes_all_its_processes_along(code: Path) -> None:
    async with demo(code) as (running, _):
        pids = await processes(running, ALL - 3)  # without its broker a worker takes ten seconds to give up
        running.kill()
        await until(lambda: not any(runs(pid) for pid in pids))


async def test_it_ends_by_itself_when_its_time_is_up(code: Path) -> None:
    async with demo(code, "--duration", 1) as (running, _):
        assert await running.end() == 0


async def test_it_says_so_when_its_broker_is_gone(code: Path) -> None:
    async with demo(code) as (running, url):
        async with connect(url, reconnect=False) as client:
            broker = (await client.call("daemon.status"))["pid"]
            os.kill(broker, signal.SIGKILL)
        assert await running.end() == 1
    assert running.lines[-1].startswith("demo: the broker has ended")


async def test_where_the_usual_port_is_taken_it_uses_another(code: Path) -> None:
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # somebody else has it, which will do
            taken.bind(("127.0.0.1", 8765))
            taken.listen()
        async with program("demo", code, "--duration", 1) as running:
            port = (await running.line(r"the dashboard is at http://127\.0\.0\.1:(\d+)/"))[1]
            assert await running.end() == 0
    assert port != "8765"


async def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    async with program("demo", tmp_path / "missing") as running:
        assert await running.end() == 2
    assert "missing is no directory" in running.lines[-1]
