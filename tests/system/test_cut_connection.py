"""The SDK and connections that are cut while the broker lives on."""

from __future__ import annotations

import asyncio
import random
from itertools import count
from typing import Any

from swarmwire import Client, Published, connect

from .faults import FaultProxy
from .journal import Journal, States, watch
from .processes import Shell

SOON: dict[str, Any] = {"base_delay": 0.02, "max_delay": 0.1, "retry_first": True}
CUTS = 20
EVENTS = 2000


async def publish_all(client: Client, name: str) -> list[Published]:
    """Publish all events of one publisher, many at a time, each with a key of its own."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client.publish(f"from.{name}", number, key=f"{name}-{number}"))
            for number in range(EVENTS)
        ]
    return [task.result() for task in tasks]


async def test_no_cut_loses_doubles_or_disorders_an_event(shell: Shell) -> None:
    broker = await shell.serve()
    draw = random.Random(20)
    async with FaultProxy(broker.port) as proxy:
        proxy.budgets.extend(draw.randrange(1, 30_000) for _ in range(CUTS))
        async with (
            connect(proxy.url, **SOON) as reader,
            connect(proxy.url, **SOON) as one,
            connect(proxy.url, **SOON) as two,
        ):
            states = States(reader)
            journal = await watch(reader, "from.*")
            acks = await asyncio.gather(publish_all(one, "one"), publish_all(two, "two"))
            await journal.reach(2 * EVENTS)
            assert proxy.cuts == CUTS
            assert states.count("disconnected") > 0
            check(journal, [*acks])


def check(journal: Journal, acks: list[list[Published]]) -> None:
    """Everything came once, in the order of the log and of each publisher, where its ack said it would."""
    seqs = [event.seq for event in journal.events]
    assert journal.gaps == []
    assert seqs == list(range(1, 2 * EVENTS + 1))
    for name, published in zip(("one", "two"), acks, strict=True):
        mine = [event for event in journal.events if event.topic == f"from.{name}"]
        assert [event.data for event in mine] == list(range(EVENTS))
        assert [event.seq for event in mine] == [it.seq for it in published]


async def test_a_lost_acknowledgement_doubles_nothing(shell: Shell) -> None:
    broker = await shell.serve()
    async with (
        FaultProxy(broker.port) as proxy,
        connect(broker.url) as witness,
        connect(proxy.url, **SOON) as client,
    ):
        seen = await watch(witness, "#")
        for round in range(3):
            proxy.mute()
            publishes = [asyncio.create_task(client.publish("a", f"{round}.{number}")) for number in range(10)]
            await seen.saw(f"{round}.9")  # the broker has them all, and its answers were swallowed
            assert not any(task.done() for task in publishes)
            proxy.reset()
            published = await asyncio.gather(*publishes)
            assert all(it.duplicate for it in published)
            assert [it.seq for it in published] == list(range(10 * round + 1, 10 * round + 11))
        await client.publish("a", "last")
        await seen.saw("last")
        assert seen.story == [f"{round}.{number}" for round in range(3) for number in range(10)] + ["last"]


async def test_a_slow_loop_over_events_sees_each_once_however_often_it_is_cut(shell: Shell) -> None:
    broker = await shell.serve()
    async with FaultProxy(broker.port) as proxy, connect(proxy.url, **SOON) as client:
        states = States(client)
        subscription = await client.subscribe(
            "#", buffer=5, gaps=True
        )  # far too few, so that it pauses again and again
        async with connect(broker.url) as publisher:
            await publish_all(publisher, "one")
        seen = []
        numbers = count(1)
        async for item in subscription:
            seen.append(item)
            number = next(numbers)
            if number % 200 == 0:
                proxy.reset()
                await states.until("disconnected", number // 200)
            if number == EVENTS:
                break
        assert [getattr(item, "data", item) for item in seen] == list(range(EVENTS))
        assert states.count("gap") == 0


async def test_each_subscription_resumes_at_its_own_place(shell: Shell) -> None:
    broker = await shell.serve()
    async with FaultProxy(broker.port) as proxy, connect(proxy.url, **SOON) as client:
        states = States(client)
        async with connect(broker.url) as publisher:
            early = await watch(client, "a.*")
            await publisher.publish("a.x", 1)
            await early.saw(1)
            late, whole = await watch(client, "#"), await watch(client, "*.x", from_="start")
            await whole.saw(1)
            proxy.reset()
            await states.until("disconnected")
            await publisher.publish("a.x", 2)
            await publisher.publish("b.x", 3)
            for journal, last in ((early, 2), (late, 3), (whole, 3)):
                await journal.saw(last)
            await states.until("resumed")
            await publisher.publish("a.x", 4)
            for journal in (early, late, whole):
                await journal.saw(4)
        assert (early.story, late.story, whole.story) == ([1, 2, 4], [2, 3, 4], [1, 2, 3, 4])
