"""The SDK and a broker that is killed, and started again with a new log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Disconnected, ErrorCode, Outcome, QueueFull, connect

from .faults import FaultProxy
from .journal import States, watch
from .processes import BrokerProcess, Shell

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.2}


async def restarted(shell: Shell, broker: BrokerProcess, states: States) -> BrokerProcess:
    """Kill the broker and start another on its port; the client has noticed the first."""
    losses = states.count("disconnected")
    await broker.kill()
    await states.until("disconnected", losses + 1)
    return await shell.serve(port=broker.port)


async def test_a_client_survives_every_kill_with_one_gap_a_subscription(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url, **SOON) as client:
        states = States(client)
        one, other = await watch(client, "one.#"), await watch(client, "other.#", from_="start")
        story: list[object] = []
        for life in range(4):
            if life > 0:
                broker = await restarted(shell, broker, states)
                story.append("gap: epoch")
            async with connect(broker.url) as publisher:  # it may well be sooner than the client under test
                for number in range(3):
                    await publisher.publish("one.x", f"{life}.{number}")
                    await publisher.publish("other.x", f"{life}.{number}")
            await one.saw(f"{life}.2")
            await other.saw(f"{life}.2")
            story += [f"{life}.{number}" for number in range(3)]
        assert one.story == other.story == story
        assert len({gap.end.partition(":")[0] for gap in one.gaps}) == 3
        assert [gap.end for gap in one.gaps] == [gap.end for gap in other.gaps]
        await states.until("resumed", 3)
        assert states.count("connected") == states.count("disconnected") == 3
        assert states.count("gap") == 6
        assert states.count("error") == 0


async def test_the_cursors_of_events_belong_to_the_log_they_are_in(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url, **SOON) as client:
        states = States(client)
        journal = await watch(client, "#")
        await client.publish("a", "old")
        await journal.saw("old")
        broker = await restarted(shell, broker, states)
        await client.publish("a", "new 1")
        await client.publish("a", "new 2")
        await journal.saw("new 2")
        cursor = journal.events[1].cursor
        again = await watch(client, "#", from_={"cursor": cursor})
        await again.saw("new 2")
        assert again.story == ["new 2"]


async def test_publishes_during_an_outage_are_delivered_once_after_it(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url, **SOON) as client:
        states = States(client)
        journal = await watch(client, "#")
        await broker.kill()
        await states.until("disconnected")
        publishes = [asyncio.create_task(client.publish("a", number)) for number in range(200)]
        await asyncio.sleep(0)  # all are in the queue after one turn
        await client.publish("a", "unacknowledged", ack=False)
        again = await shell.serve(port=broker.port)
        published = await asyncio.gather(*publishes)
        assert [it.seq for it in published] == list(range(1, 201))
        assert not any(it.duplicate for it in published)
        await journal.saw("unacknowledged")
        assert journal.story == ["gap: epoch", *range(200), "unacknowledged"]
        async with connect(again.url) as reader:
            log = await watch(reader, "#", from_="start")
            await log.saw("unacknowledged")
            assert log.story == [*range(200), "unacknowledged"]


async def test_a_full_offline_queue_is_a_named_error_and_takes_nothing(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url, offline_queue=2, **SOON) as client:
        states = States(client)
        journal = await watch(client, "#")
        await broker.kill()
        await states.until("disconnected")
        kept = [asyncio.create_task(client.publish("a", number)) for number in range(2)]
        await asyncio.sleep(0)  # both are in the queue after one turn
        with pytest.raises(QueueFull) as refusal:
            await client.publish("a", "too much")
        assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
        await shell.serve(port=broker.port)
        await asyncio.gather(*kept)
        await client.publish("a", "last")
        await journal.saw("last")
        assert journal.story == ["gap: epoch", 0, 1, "last"]


async def test_a_publish_that_failed_by_its_timeout_is_never_sent(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url, **SOON) as client:
        states = States(client)
        journal = await watch(client, "#")
        await broker.kill()
        await states.until("disconnected")
        with pytest.raises(Exception, match="TIMEOUT"):
            await client.publish("a", "too late", timeout=0.05)
        await shell.serve(port=broker.port)
        await client.publish("a", "in time")
        await journal.saw("in time")
        assert journal.story == ["gap: epoch", "in time"]


async def test_what_was_written_and_not_acknowledged_at_the_kill_has_an_unknown_outcome(shell: Shell) -> None:
    broker = await shell.serve()
    async with (
        FaultProxy(broker.port) as proxy,
        connect(broker.url) as witness,
        connect(proxy.url, **SOON) as client,
    ):
        seen, states = await watch(witness, "#"), States(client)
        proxy.mute()
        written = [asyncio.create_task(client.publish("a", number)) for number in range(3)]
        await seen.saw(2)  # the broker had them all, but no acknowledgement came through
        await broker.kill()
        await states.until("disconnected")
        waiting = asyncio.create_task(client.publish("a", "never written before"))
        again = await shell.serve()
        proxy.target = again.port
        for publish in written:
            with pytest.raises(Disconnected) as lost:
                await publish
            assert lost.value.code is ErrorCode.OUTCOME_UNKNOWN
            assert lost.value.outcome is Outcome.UNKNOWN
        assert (await waiting).seq == 1
        async with connect(again.url) as reader:
            log = await watch(reader, "#", from_="start")
            await log.reach(1)
            assert log.story == ["never written before"]


async def test_a_call_fails_at_once_in_an_outage_and_with_the_connection(shell: Shell) -> None:
    broker = await shell.serve()
    async with FaultProxy(broker.port) as proxy, connect(proxy.url, **SOON) as client:
        states = States(client)
        proxy.mute()
        asked = asyncio.create_task(client.call("nobody.handles.this", timeout=None))
        ping = asyncio.create_task(client.ping())
        await asyncio.sleep(0)  # the call is on its way after one turn
        proxy.refuse()
        with pytest.raises(Disconnected) as lost:
            await asked
        assert lost.value.code is ErrorCode.OUTCOME_UNKNOWN
        with pytest.raises(Disconnected):
            await ping
        await states.until("reconnecting")
        assert not client.is_ready
        with pytest.raises(Disconnected) as offline:
            await client.call("nobody.handles.this", timeout=None)
        assert (offline.value.code, offline.value.outcome) == (ErrorCode.UNAVAILABLE, Outcome.NOT_DONE)


async def test_a_snapshot_that_was_complete_goes_on_with_the_new_log(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url, **SOON) as client:
        states = States(client)
        await client.publish("state.a", "old a")
        await client.publish("state.b", "old b")
        journal = await watch(client, "state.*", from_="latest")
        await journal.reach(2)
        await restarted(shell, broker, states)
        await client.publish("state.a", "new a")
        await client.publish("state.b", "new b")
        await journal.saw("new b")
        assert journal.story == ["old a", "old b", "gap: epoch", "new a", "new b"]


async def test_a_snapshot_that_was_cut_half_way_is_one_of_the_new_log(shell: Shell) -> None:
    broker, again = await asyncio.gather(shell.serve(), shell.serve())
    async with connect(broker.url) as publisher, asyncio.TaskGroup() as group:
        for number in range(2000):
            group.create_task(publisher.publish(f"state.{number}", "old" + 300 * "."))
    async with connect(again.url) as publisher:
        for name in "ab":
            await publisher.publish(f"state.{name}", f"new {name}")
    async with FaultProxy(broker.port) as proxy:
        proxy.budgets.append(200_000)
        async with connect(proxy.url, base_delay=0.2) as client:
            states = States(client)
            journal = await watch(client, "state.*", from_="latest")
            await states.until("disconnected")
            proxy.target = again.port
            await journal.saw("new b")
            before, after = journal.story[:-3], journal.story[-3:]
            assert after == ["gap: epoch", "new a", "new b"]
            assert 0 < len(before) < 2000
            assert states.count("gap") == 1
