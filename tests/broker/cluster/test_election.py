"""The election of the coordinator, in virtual time over a lease in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.cluster.election import Election
from swarmwire_broker.cluster.lease import LEASE, PATIENCE
from swarmwire_broker.cluster.natslease import NatsLease
from swarmwire_broker.natslink import Answer, Link, NoAnswer

from ..engines.nats.virtualtime import run_in_virtual_time
from .memlease import LeaseGround, LeaseRoad


@asynccontextmanager
async def broker(
    ground: LeaseGround, me: str, random: Random | None = None
) -> AsyncIterator[tuple[Election, LeaseRoad]]:
    road = LeaseRoad(ground, random)
    election = Election(road, me, asyncio.get_running_loop().time)
    await election.start()
    try:
        yield election, road
    finally:
        await election.close()
        await election.close()


async def until(condition: Callable[[], bool]) -> float:
    """Wait for it; how many seconds that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - some of it changes with time alone
            await asyncio.sleep(0.01)
    return loop.time() - began


def test_the_only_broker_is_it_at_once_and_stays_it() -> None:
    async def run() -> None:
        async with broker(LeaseGround(), "a") as (a, _):
            assert await until(lambda: a.is_coordinator) < 0.2
            for _ in range(100):
                await asyncio.sleep(0.3)
                assert (a.is_coordinator, a.coordinator) == (True, "a")

    run_in_virtual_time(run())


def test_whoever_comes_later_knows_who_is_it() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, _):
            await until(lambda: a.is_coordinator)
            async with broker(ground, "b") as (b, _):
                assert await until(lambda: b.coordinator == "a") < 0.2
                for _ in range(100):
                    await asyncio.sleep(0.3)
                    assert (b.is_coordinator, b.coordinator) == (False, "a")

    run_in_virtual_time(run())


def test_whoever_closes_gives_it_to_another_at_once() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, _), broker(ground, "b") as (b, _):
            await until(lambda: a.coordinator is not None and a.coordinator == b.coordinator)
            first, second = (a, b) if a.is_coordinator else (b, a)
            await first.close()
            assert not first.is_coordinator
            assert await until(lambda: second.is_coordinator) < 0.2

    run_in_virtual_time(run())


def test_whoever_dies_is_followed_within_bounds() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, road):
            await until(lambda: a.is_coordinator)
            async with broker(ground, "b") as (b, _):
                await asyncio.sleep(5.5)
                road.is_cut = True
                fell = await until(lambda: not a.is_coordinator)
                assert LEASE - 1.1 < fell <= LEASE
                assert not b.is_coordinator
                assert a.coordinator is None
                rose = await until(lambda: b.is_coordinator)
                assert 0.5 < rose < PATIENCE - LEASE + 1.2
                road.is_cut = False
                await until(lambda: a.coordinator == "b")
                await asyncio.sleep(10)
                assert (a.is_coordinator, b.is_coordinator) == (False, True)

    run_in_virtual_time(run())


def test_whoever_resigns_leaves_it_to_others_and_takes_it_if_nobody_does() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, _):
            await until(lambda: a.is_coordinator)
            await a.resign()
            assert not a.is_coordinator
            assert PATIENCE - 0.1 < await until(lambda: a.is_coordinator) < PATIENCE + 1.0
            async with broker(ground, "b") as (b, _):
                await until(lambda: b.coordinator == "a")
                await a.resign()
                assert await until(lambda: b.is_coordinator) < 0.2
                await asyncio.sleep(20)
                assert b.is_coordinator

    run_in_virtual_time(run())


def test_whoever_wants_to_know_hears_of_every_change_and_of_nothing_else() -> None:
    async def run() -> None:
        ground = LeaseGround()
        told: list[tuple[bool, str | None]] = []

        def fails() -> None:
            raise RuntimeError("planted")

        async with broker(ground, "b") as (b, road):
            b.on_change(fails)
            end = b.on_change(lambda: told.append((b.is_coordinator, b.coordinator)))
            await until(lambda: b.is_coordinator)
            await asyncio.sleep(10)
            assert told == [(True, "b")]
            road.is_cut = True
            await asyncio.sleep(LEASE + 0.05)
            assert told[1:] == [(False, None)], "as soon as it lapses"
            async with broker(ground, "a") as (a, _):
                await until(lambda: a.is_coordinator)
                road.is_cut = False
                await until(lambda: b.coordinator == "a")
                await asyncio.sleep(10)
                assert told[2:] == [(False, "a")]
                end()
                end()
            await until(lambda: b.is_coordinator)
            assert len(told) == 3

    run_in_virtual_time(run())


def test_answers_that_are_lost_now_and_then_cost_nobody_the_lease() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, road), broker(ground, "b") as (b, _):
            await until(lambda: a.coordinator is not None and a.coordinator == b.coordinator)
            first, second = (a, b) if a.is_coordinator else (b, a)
            if first is b:
                await b.resign()
                await until(lambda: a.is_coordinator)
                first, second = a, b
            road.loses = 20
            lost = 0
            for _ in range(600):
                await asyncio.sleep(0.1)
                lost += not first.is_coordinator
            assert lost < 60
            assert not (first.is_coordinator and second.is_coordinator)

    run_in_virtual_time(run())


class LateLink:
    """Answers after so many seconds, each publish with the next place."""

    server = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seq = 0

    async def request(self, subject: bytes, payload: bytes, *, headers: bytes, timeout: float) -> Answer:
        await asyncio.sleep(min(timeout, self._seconds))
        if timeout < self._seconds:
            raise NoAnswer(timeout)
        self._seq += 1
        return Answer(b"", b'{"seq":%d}' % self._seq)


class LateRoad(LeaseRoad):
    """A way that is free, but for answers to renewals that come late."""

    def __init__(self, link: LateLink) -> None:
        super().__init__(LeaseGround())
        unused: Any = None
        self._lease = NatsLease(cast(Link, link), unused, "main", None)

    async def follow(self, payload: bytes, after: int) -> int:
        return await self._lease.follow(payload, after)


def test_whoever_gets_its_answers_late_keeps_the_lease() -> None:
    async def run() -> None:
        election = Election(LateRoad(LateLink(1.4)), "a", asyncio.get_running_loop().time)
        await election.start()
        await until(lambda: election.is_coordinator)
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert election.is_coordinator
        await election.close()

    run_in_virtual_time(run())


def test_while_nobody_reaches_the_lease_nobody_is_it_and_afterwards_somebody_is() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, one), broker(ground, "b") as (b, other):
            await until(lambda: a.is_coordinator or b.is_coordinator)
            one.is_cut = other.is_cut = True
            await asyncio.sleep(LEASE)
            for _ in range(100):
                await asyncio.sleep(0.1)
                assert not any(one.is_coordinator for one in (a, b))
            one.is_cut = other.is_cut = False
            assert await until(lambda: a.is_coordinator or b.is_coordinator) < 3.0

    run_in_virtual_time(run())


def test_a_lease_that_was_deleted_is_kept_by_whoever_has_it() -> None:
    async def run() -> None:
        ground = LeaseGround()
        async with broker(ground, "a") as (a, _):
            await until(lambda: a.is_coordinator)
            async with broker(ground, "b") as (b, _):
                await asyncio.sleep(5)
                ground.message, ground.seq = None, 0
                for _ in range(100):
                    await asyncio.sleep(0.1)
                    assert (a.is_coordinator, b.is_coordinator) == (True, False)

    run_in_virtual_time(run())


def test_whoever_cannot_open_the_lease_says_so() -> None:
    class Closed(LeaseRoad):
        async def open(self, timeout: float) -> None:
            raise OSError("planted")

    async def run() -> None:
        election = Election(Closed(LeaseGround()), "a", asyncio.get_running_loop().time)
        with pytest.raises(OSError, match="planted"):
            await election.start()
        await election.close()

    run_in_virtual_time(run())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(2, 4))
def test_no_two_are_it_at_once_whatever_is_lost_and_whoever_is_cut_off(seed: int, brokers: int) -> None:
    async def run() -> None:
        random, ground = Random(seed), LeaseGround()
        async with AsyncExitStack() as stack:
            every = [await stack.enter_async_context(broker(ground, f"b{n}", random)) for n in range(brokers)]
            for _ in range(400):
                await asyncio.sleep(random.random() * 0.2)
                assert sum(election.is_coordinator for election, _ in every) <= 1
                election, road = random.choice(every)
                match random.randrange(20):
                    case 0:
                        road.is_cut = not road.is_cut
                    case 1:
                        road.loses = random.choice((0, 30, 90))
                    case 2:
                        await election.resign()
            for _, road in every:
                road.is_cut, road.loses = False, 0
            assert await until(lambda: any(election.is_coordinator for election, _ in every)) < PATIENCE + 3.0

    run_in_virtual_time(run())
