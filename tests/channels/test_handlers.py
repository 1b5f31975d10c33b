from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire_channels import AgentChannel, AgentStatus, Change, Event, Registration, SwarmChannel, TaskChannel
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memory import MemoryPubSub


class Collector:
    """A handler that keeps what it gets, and lets a test wait for the n-th."""

    def __init__(self) -> None:
        self.changes: list[Change[Any]] = []
        self._more = asyncio.Condition()

    async def __call__(self, change: Change[Any]) -> None:
        async with self._more:
            self.changes.append(change)
            self._more.notify_all()

    async def reaches(self, count: int) -> list[Change[Any]]:
        async with asyncio.timeout(5), self._more:
            await self._more.wait_for(lambda: len(self.changes) >= count)
        return self.changes


async def test_a_handler_gets_the_changes_of_its_event(pubsub: MemoryPubSub) -> None:
    collector = Collector()
    async with AgentChannel(pubsub) as agents:
        await agents.on("status", collector)
        await agents.started("a1")
        await agents.status("a1", "busy")
        [change] = await collector.reaches(1)
    assert isinstance(change.record, AgentStatus)
    assert change.record.status == "busy"


async def test_a_handler_for_all_and_one_for_one_agent_are_each_called_once(pubsub: MemoryPubSub) -> None:
    everyone, only_a1, end = Collector(), Collector(), Collector()
    async with AgentChannel(pubsub) as agents:
        await agents.on("status", everyone)
        await agents.on("status", only_a1, agent_id="a1")
        await agents.on("stopped", end)
        await agents.status("a1", "busy")
        await agents.status("a2", "busy")
        await agents.status("a1", "idle")
        await agents.stopped("a1")
        await end.reaches(1)
        await everyone.reaches(3)
        await only_a1.reaches(2)
    assert [change.id for change in everyone.changes] == ["a1", "a2", "a1"]
    assert [change.id for change in only_a1.changes] == ["a1", "a1"]


async def test_the_same_handler_registered_twice_is_called_once_for_each(pubsub: MemoryPubSub) -> None:
    collector = Collector()
    async with AgentChannel(pubsub) as agents:
        await agents.on("status", collector)
        remove = await agents.on("status", collector)
        await agents.status("a1", "busy")
        assert len(await collector.reaches(2)) == 2
        await remove.aclose()
        await agents.status("a1", "idle")
        assert len(await collector.reaches(3)) == 3
    assert len(collector.changes) == 3


async def test_a_handler_of_no_event_in_particular_gets_all(pubsub: MemoryPubSub) -> None:
    collector = Collector()
    async with SwarmChannel(pubsub) as swarm:
        await swarm.on(None, collector, swarm_id="s.1")
        await swarm.joined("s.1", "a1")
        await swarm.joined("s.2", "a1")
        await swarm.left("s.1", "a1")
        changes = await collector.reaches(2)
    assert [change.event for change in changes] == ["agent-joined", "agent-left"]


async def test_a_handler_that_is_no_coroutine_is_called_too(pubsub: MemoryPubSub) -> None:
    collector, ids = Collector(), list[str]()
    async with AgentChannel(pubsub) as agents:
        await agents.on("started", lambda change: ids.append(change.id))
        await agents.started("a1")
        await agents.on("started", collector, from_="start")
        await collector.reaches(1)
    assert ids == ["a1"]


async def test_a_failing_handler_is_reported_and_stops_neither_itself_nor_others(pubsub: MemoryPubSub) -> None:
    good, bad = Collector(), Collector()
    problems: list[tuple[str, Event | None]] = []

    async def failing(change: Change[Any]) -> None:
        await bad(change)
        raise LookupError(change.id)

    async with AgentChannel(pubsub) as agents:
        await agents.on("started", failing, on_error=lambda error, raw: problems.append((repr(error), raw)))
        await agents.on("started", good)
        await agents.started("a1")
        await agents.started("a2")
        await bad.reaches(2)
        await good.reaches(2)
    assert problems == [("LookupError('a1')", pubsub.log[0]), ("LookupError('a2')", pubsub.log[1])]


async def test_a_handler_that_hangs_holds_up_nobody_else(pubsub: MemoryPubSub) -> None:
    other, stuck, free = Collector(), asyncio.Event(), asyncio.Event()

    async def hanging(change: Change[Any]) -> None:
        stuck.set()
        await free.wait()

    async with AgentChannel(pubsub) as agents:
        await agents.on("started", hanging)
        await agents.on("started", other)
        await agents.started("a1")
        await agents.started("a2")
        await stuck.wait()
        assert len(await other.reaches(2)) == 2
        free.set()


async def test_a_malformed_event_goes_to_the_handlers_error_path(pubsub: MemoryPubSub) -> None:
    collector, problems = Collector(), list[Exception]()
    async with TaskChannel(pubsub) as tasks:
        await tasks.on("progress", collector, on_error=lambda error, raw: problems.append(error))
        await pubsub.publish("task.t1.progress", "half")
        await tasks.progress("t1", 50)
        await collector.reaches(1)
    [problem] = problems
    assert isinstance(problem, SwarmwireError)
    assert problem.code is ErrorCode.INVALID_MESSAGE


# ---- The end of a registration


async def test_after_removal_a_handler_is_not_called_and_its_subscription_is_closed(pubsub: MemoryPubSub) -> None:
    collector = Collector()
    agents = AgentChannel(pubsub)
    remove = await agents.on("started", collector)
    remove()
    remove()
    await agents.started("a1")
    await remove.aclose()
    assert remove.ended
    assert collector.changes == []
    assert not pubsub.open_streams


async def test_a_handler_removed_before_it_began_leaves_nothing_behind(pubsub: MemoryPubSub) -> None:
    agents = AgentChannel(pubsub)
    remove = agents.on("started", Collector())
    remove()
    with pytest.raises(SwarmwireError, match="CANCELLED"):
        await remove
    await remove.aclose()
    assert not pubsub.open_streams


async def test_a_handler_may_remove_itself_and_finish(pubsub: MemoryPubSub) -> None:
    collector = Collector()

    async def once(change: Change[Any]) -> None:
        remove()
        await asyncio.sleep(0)
        await collector(change)

    agents = AgentChannel(pubsub)
    remove = await agents.on("started", once)
    await agents.started("a1")
    await agents.started("a2")
    await collector.reaches(1)
    async with asyncio.timeout(5):
        await remove.aclose()
    assert [change.id for change in collector.changes] == ["a1"]


async def test_a_handler_may_close_its_own_registration(pubsub: MemoryPubSub) -> None:
    closed = asyncio.Event()

    async def closing(change: Change[Any]) -> None:
        await remove.aclose()
        closed.set()

    agents = AgentChannel(pubsub)
    remove = await agents.on("started", closing)
    await agents.started("a1")
    async with asyncio.timeout(5):
        await closed.wait()
        await remove.aclose()
    assert not pubsub.open_streams


async def test_a_handler_that_is_running_when_it_is_removed_finishes(pubsub: MemoryPubSub) -> None:
    running, free, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(change: Change[Any]) -> None:
        running.set()
        await free.wait()
        finished.set()

    agents = AgentChannel(pubsub)
    remove = await agents.on("started", slow)
    await agents.started("a1")
    await running.wait()
    remove()
    free.set()
    async with asyncio.timeout(5):
        await remove.aclose()
    assert finished.is_set()


async def test_leaving_the_channel_ends_its_handlers(pubsub: MemoryPubSub) -> None:
    async with AgentChannel(pubsub) as agents:
        registrations: list[Registration] = [await agents.on(event, Collector()) for event in ("log", "error")]
    assert all(registration.ended for registration in registrations)
    assert not pubsub.open_streams


async def test_a_refused_subscription_is_raised_where_it_is_awaited_and_reported(pubsub: MemoryPubSub) -> None:
    problems: list[tuple[Exception, Event | None]] = []
    pubsub.refusal = SwarmwireError(ErrorCode.PERMISSION_DENIED)
    agents = AgentChannel(pubsub)
    registration = agents.on("log", Collector(), on_error=lambda error, raw: problems.append((error, raw)))
    with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
        await registration
    await registration.aclose()
    assert problems == [(pubsub.refusal, None)]


async def test_a_connection_lost_for_good_is_reported_and_ends_the_handler(pubsub: MemoryPubSub) -> None:
    problems: list[Exception] = []
    told = asyncio.Event()

    def on_error(error: Exception, raw: Event | None) -> None:
        problems.append(error)
        told.set()

    agents = AgentChannel(pubsub)
    registration = await agents.on("log", Collector(), on_error=on_error)
    lost = SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
    pubsub.disconnect(lost)
    await told.wait()
    await registration.aclose()
    assert problems == [lost]


async def test_a_client_that_disconnects_ends_its_handlers_quietly(pubsub: MemoryPubSub) -> None:
    problems, gone = list[Exception](), asyncio.Event()
    agents = AgentChannel(pubsub)
    registration = await agents.on("log", Collector(), on_error=lambda error, raw: problems.append(error))
    registration.on_end(lambda ended: gone.set())
    pubsub.disconnect()
    async with asyncio.timeout(5):
        await gone.wait()
    assert registration.ended
    assert problems == []
    assert not pubsub.open_streams


async def test_an_unknown_event_is_refused_before_anything_is_subscribed(pubsub: MemoryPubSub) -> None:
    with pytest.raises(SwarmwireError, match="INVALID_TOPIC"):
        AgentChannel(pubsub).on("status-change", Collector())
    assert pubsub.streams == []
