"""A broker with a data directory that is killed again and again, and the SDK with its defaults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice, pairwise
from typing import Any

from swarmwire import Client, Published, connect

from .faults import FaultProxy
from .journal import Journal, States, watch
from .processes import BrokerProcess, Shell
from .test_exactly_once import EVENTS as WORK
from .test_exactly_once import check, done, start

SOON: dict[str, Any] = {"base_delay": 0.02, "max_delay": 0.1, "retry_first": True}
KILLS = 4
TURNS = 4
EVENTS = 1500
TOGETHER = 20


async def serve(shell: Shell, port: int = 0) -> BrokerProcess:
    return await shell.serve("--data", "log", port=port)


async def publish_all(client: Client, topic: str) -> list[Published]:
    """Publish the numbers in order, some at a time."""
    published: list[Published] = []
    for first in range(0, EVENTS, TOGETHER):
        some = [asyncio.create_task(client.publish(topic, number)) for number in range(first, first + TOGETHER)]
        published += await asyncio.gather(*some)
    return published


async def kill_often(shell: Shell, broker: BrokerProcess, journal: Journal) -> BrokerProcess:
    """Kill the broker whenever some more has come through, and start it again on its port."""
    draw = random.Random(7)
    for _ in range(KILLS):
        await journal.reach(len(journal.items) + draw.randrange(50, 300))
        await broker.kill()
        broker = await serve(shell, broker.port)
    return broker


@asynccontextmanager
async def clients(url: str, count: int) -> AsyncIterator[list[Client]]:
    opened = [await connect(url, **SOON) for _ in range(count)]
    try:
        yield opened
    finally:
        for client in opened:
            await client.disconnect()


def check_once(journal: Journal, acks: dict[str, list[Published]]) -> None:
    """Everything came once, where its ack said, in the order of the log and of each publisher; and no gap."""
    assert journal.gaps == []
    places = [event.seq for event in journal.events]
    assert all(one is not None and other is not None and one < other for one, other in pairwise(places))
    for topic, published in acks.items():
        mine = [event for event in journal.events if event.topic == topic]
        assert [event.data for event in mine] == list(range(EVENTS))
        assert [event.seq for event in mine] == [it.seq for it in published]


async def test_a_broker_that_is_killed_loses_doubles_and_misorders_nothing(shell: Shell) -> None:
    broker = await serve(shell)
    async with clients(broker.url, 3) as (reader, one, two):
        states, journal = States(reader), await watch(reader, "from.*")
        publishing = asyncio.gather(publish_all(one, "from.one"), publish_all(two, "from.two"))
        broker = await kill_often(shell, broker, journal)
        acks = dict(zip(("from.one", "from.two"), await publishing, strict=True))
        await journal.reach(2 * EVENTS)
        check_once(journal, acks)
        assert states.count("gap") == 0
        assert states.count("disconnected") >= KILLS
        again = await watch(reader, "from.*", from_="start")
        await again.reach(2 * EVENTS)
        check_once(again, acks)


async def test_kills_and_cuts_together_lose_double_and_misorder_nothing(shell: Shell) -> None:
    broker = await serve(shell)
    draw = random.Random(11)
    async with FaultProxy(broker.port) as proxy:
        # Attempts while the broker is away use them up too.
        proxy.budgets.extend(draw.randrange(5_000, 80_000) for _ in range(1000))
        async with clients(proxy.url, 3) as (reader, one, two):
            journal = await watch(reader, "from.*")
            publishing = asyncio.gather(publish_all(one, "from.one"), publish_all(two, "from.two"))
            await kill_often(shell, broker, journal)
            acks = dict(zip(("from.one", "from.two"), await publishing, strict=True))
            await journal.reach(2 * EVENTS)
            check_once(journal, acks)
            assert proxy.cuts >= 5


async def test_an_ack_that_was_lost_with_the_broker_is_given_again(shell: Shell) -> None:
    broker = await serve(shell)
    async with (
        FaultProxy(broker.port) as proxy,
        connect(broker.url, **SOON) as witness,
        connect(proxy.url, **SOON) as client,
    ):
        seen = await watch(witness, "#")
        proxy.mute()
        written = [asyncio.create_task(client.publish("a", number)) for number in range(10)]
        await seen.saw(9)  # all are stored, and no acknowledgement came through
        await broker.kill()
        waiting = asyncio.create_task(client.publish("a", "later"))
        broker = await serve(shell, broker.port)
        assert [await each for each in written] == [Published(number + 1, duplicate=True) for number in range(10)]
        assert await waiting == Published(11)
        await seen.saw("later")
        assert seen.story == [*range(10), "later"]


async def test_a_client_and_its_broker_are_killed_in_turns_and_nothing_is_missed(shell: Shell) -> None:
    broker = await serve(shell)
    numbers = iter(range(WORK))
    runs: list[list[str]] = []
    async with connect(broker.url, **SOON) as client:

        async def publish(count: int) -> None:
            await asyncio.gather(*(client.publish("work.a", number) for number in islice(numbers, count)))

        for _ in range(TURNS):
            await publish(20)
            program = await start(shell, broker.url)
            await program.out.reach(5)
            await broker.kill()
            broker = await serve(shell, broker.port)
            await publish(20)
            await program.out.reach(22)
            await program.kill()
            runs.append(done(shell.directory)[sum(map(len, runs)) :])
        await publish(WORK)
        last = await start(shell, broker.url)
        assert (await last.finish()).code == 0
        runs.append(done(shell.directory)[sum(map(len, runs)) :])
    check(runs)
