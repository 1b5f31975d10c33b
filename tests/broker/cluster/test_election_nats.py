"""The election of the coordinator on real servers, among real processes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Self

from swarmwire_broker.cluster.election import Election, new_election
from swarmwire_broker.cluster.lease import LEASE, PATIENCE
from swarmwire_broker.natslink import JetStream, Link

from ...history.proxy import Proxy
from ...nats.servers import NatsServer, Version, needs, new_space

ROOT = Path(__file__).parents[3]
TURN = 0.5
"""Seconds that a busy machine may be late."""


class Candidate:
    """A process that takes part, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.name = name
        self.said: list[tuple[float, bool]] = []
        self.coordinator = "-"
        self._process = process
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, url: str, space: str, name: str) -> Self:
        command = [sys.executable, "-m", "tests.broker.cluster.electionprocess", url, space, name]
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT), name)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while (line := await self._process.stdout.readline()).endswith(b"\n"):
            when, is_it, self.coordinator = line.decode().split()
            self.said.append((float(when), is_it == "1"))

    @property
    def is_it(self) -> bool:
        return bool(self.said) and self.said[-1][1]

    def terms(self) -> list[tuple[float, float]]:
        """When it was elected, from the first time it said so to the last."""
        found: list[tuple[float, float]] = []
        was = False
        for when, is_it in self.said:
            if is_it:
                found = [*found[:-1], (found[-1][0], when)] if was else [*found, (when, when)]
            was = is_it
        return found

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait for it; how many seconds that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - others do it, and say nothing
            await asyncio.sleep(0.01)
    return loop.time() - began


@asynccontextmanager
async def election(url: str, space: str, me: str) -> AsyncIterator[Election]:
    link = Link([url], name=me)
    await link.start()
    one = new_election(link, JetStream(link), space=space, me=me, replicas=None)
    try:
        await one.start()
        yield one
    finally:
        await one.close()
        await link.close()


async def remove_stream(url: str, space: str) -> None:
    link = Link([url], name="tests")
    await link.start()
    await JetStream(link).ask(f"STREAM.DELETE.swarmwire_{space}_lease")
    await link.close()


async def test_one_is_elected_at_once_and_another_when_it_closes(nats_server: NatsServer) -> None:
    url, space = nats_server.url, new_space()
    async with election(url, space, "a") as a:
        assert await until(lambda: a.is_coordinator) < 1.0
        async with election(url, space, "b") as b:
            await until(lambda: b.coordinator == "a")
            await asyncio.sleep(1.5)
            assert (a.is_coordinator, b.is_coordinator, b.coordinator) == (True, False, "a")
            await a.close()
            assert await until(lambda: b.is_coordinator) < 1.0
    await remove_stream(url, space)


async def test_whoever_is_cut_off_has_stopped_before_another_begins(nats_server: NatsServer) -> None:
    url, space = nats_server.url, new_space()
    async with (
        Proxy(nats_server.port, draw=Random(1)) as proxy,
        election(f"nats://127.0.0.1:{proxy.port}", space, "a") as a,
    ):
        await until(lambda: a.is_coordinator)
        async with election(url, space, "b") as b:
            await until(lambda: b.coordinator == "a")
            proxy.up.stall()
            proxy.down.stall()
            loop = asyncio.get_running_loop()
            began = loop.time()
            while not b.is_coordinator:
                assert loop.time() - began < PATIENCE + 1.0 + TURN
                await asyncio.sleep(0.001)
                assert [a.is_coordinator, b.is_coordinator] != [True, True]
            assert not a.is_coordinator
            proxy.clear()
            await until(lambda: a.coordinator == "b")
    await remove_stream(url, space)


async def test_a_server_that_is_killed_takes_the_lease_from_nobody_for_longer_than_it_is_away() -> None:
    async with NatsServer(Version.NEWEST) as server, AsyncExitStack() as stack:
        a, b = [await stack.enter_async_context(election(server.url, "main", name)) for name in ("a", "b")]
        await until(lambda: a.is_coordinator or b.is_coordinator)
        first = a if a.is_coordinator else b
        await server.kill()
        await server.start()
        await asyncio.sleep(LEASE)
        assert first.is_coordinator, "it was away for less than the lease"
        await server.kill()
        await until(lambda: not first.is_coordinator, LEASE + TURN)
        await server.start()
        assert await until(lambda: a.is_coordinator or b.is_coordinator) < PATIENCE + 2.0


@needs(Version.NEWEST)
async def test_processes_that_are_stopped_or_killed_are_never_elected_beside_another() -> None:
    async with NatsServer(Version.NEWEST) as server:
        every = [await Candidate.start(server.url, "main", name) for name in ("a", "b", "c")]
        try:
            stopped = await elected(every)
            stopped.signal(signal.SIGSTOP)
            others = [one for one in every if one is not stopped]
            assert await until(lambda: any(one.is_it for one in others)) < PATIENCE + 1.0 + TURN
            second = await elected(others)
            stopped.signal(signal.SIGCONT)
            await until(lambda: stopped.coordinator == second.name)
            second.signal(signal.SIGKILL)
            rest = [one for one in every if one is not second]
            assert await until(lambda: any(one.is_it for one in rest)) < PATIENCE + 1.0 + TURN
        finally:
            for one in every:
                await one.close()
    terms = sorted(term for one in every for term in one.terms())
    assert len(terms) >= 3
    assert all(end < begin for (_, end), (begin, _) in pairwise(terms)), terms


async def elected(candidates: list[Candidate]) -> Candidate:
    await until(lambda: any(one.is_it for one in candidates))
    return next(one for one in candidates if one.is_it)
