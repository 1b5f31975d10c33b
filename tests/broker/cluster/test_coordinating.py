"""The services of a cluster go from one broker to another: what stays, what ends, and what can never be done twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire_broker.cluster.coordinating import Part
from swarmwire_broker.local import LocalClient
from swarmwire_broker.localcalls import LocalHandlers
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..services.callers import a_moment
from .rig import town


def failure(answer: asyncio.Future[Any]) -> SwarmwireError:
    assert answer.done()
    error = answer.exception()
    assert isinstance(error, SwarmwireError)
    return error


async def test_a_lock_is_held_on_with_its_token_and_a_full_ttl_when_the_coordinator_changes() -> None:
    async with town(3) as all:
        holder = all[2].caller()
        token = (await holder.call("lock.acquire", name="x", ttl=10_000))["token"]
        await all.advance(9)
        await all.elect(all[1])
        status = await all[0].caller().call("lock.status", name="x")
        assert status["token"] == token
        assert status["left_ms"] == 10_000
        await holder.call("lock.renew", name="x", token=token)
        assert (await all[0].caller().call("lock.acquire", name="y", ttl=1_000))["token"] > token


async def test_a_connection_that_outlives_the_coordinator_stands_for_what_it_holds() -> None:
    async with town(3) as all:
        holder = all[2].caller()
        await holder.call("lock.acquire", name="x", ttl=60_000)
        await holder.call("registry.register", id="b", name="b", kind="agent", ttl=10_000)
        await all.elect(all[1])
        assert (await all[0].caller().call("lock.status", name="x"))["holder"]["connected"]
        for _ in range(4):
            holder.session.receive(b'{"type":"ping"}')
            await all.advance(8)
        assert (await all[0].caller().call("registry.get", id="b"))["state"] == "online"
        holder.leave()
        await a_moment()
        assert not (await all[0].caller().call("lock.status", name="x"))["held"]


async def test_a_change_of_the_coordinator_makes_nobody_suspect() -> None:
    async with town(2) as all:
        being = all[0].caller()
        await being.call("registry.register", id="b", name="b", kind="agent", ttl=10_000)
        before = all.nodes[0].engine.shared.head
        await all.elect(all[1])
        assert (await being.call("registry.get", id="b"))["state"] == "online"
        assert all.nodes[0].engine.shared.head == before


async def test_who_is_gone_when_the_services_come_to_another_broker_lapses() -> None:
    async with town(3) as all:
        holder = all[0].caller()
        await holder.call("lock.acquire", name="x", ttl=10_000)
        all[0].kill()
        all[0].election.coordinator = None
        await all.elect(all[1], but=[all[0]])
        other = all[2].caller()
        assert (await other.call("lock.status", name="x"))["held"]
        await all.advance(10.1)
        assert not (await other.call("lock.status", name="x"))["held"]


async def test_calls_that_wait_at_the_coordinator_end_with_an_unknown_outcome() -> None:
    async with town(2) as all:
        holder, here, there = all[0].caller(), all[0].caller(), all[1].caller()
        await holder.call("lock.acquire", name="x", ttl=600_000)
        waiting = [one.begin("lock.acquire", name="x", ttl=1_000, wait=20_000) for one in (here, there)]
        await a_moment()
        await all.elect(all[1])
        assert [failure(answer).code for answer in waiting] == [ErrorCode.OUTCOME_UNKNOWN] * 2
        # Nobody stands in line any more, and nobody is granted it when it becomes free.
        holder.leave()
        await a_moment()
        assert not (await there.call("lock.status", name="x"))["held"]


async def test_calls_at_a_coordinator_that_is_gone_end_when_that_is_noticed() -> None:
    async with town(2) as all:
        await all[0].caller().call("lock.acquire", name="x", ttl=600_000)
        waiting = all[1].caller().begin("lock.acquire", name="x", ttl=1_000, wait=20_000)
        await a_moment()
        all[0].kill()
        await all.advance(6.5)
        assert failure(waiting).code is ErrorCode.OUTCOME_UNKNOWN


async def test_a_coordinator_that_is_deposed_changes_nothing_any_more() -> None:
    async with town(2) as all:
        claims = all[0].caller().begin("task.claim", queues=["q"], wait=20_000)
        await a_moment()
        await all.elect(all[1], but=[all[0]])  # the first has not heard of it
        assert all[0].cluster.part is Part.FORWARDS
        assert failure(claims).code is ErrorCode.OUTCOME_UNKNOWN
        await all[1].caller().call("task.submit", queue="q", type="t")
        assert (await all[1].caller().call("task.list", queue="q"))["tasks"][0]["state"] == "pending"


@pytest.mark.parametrize("turns", range(8))
async def test_a_claim_on_its_way_when_the_services_go_gives_the_task_to_one_or_to_nobody(turns: int) -> None:
    async with town(2) as all:
        first, second = all[0].caller(), all[1].caller()
        claim = first.begin("task.claim", queues=["q"], wait=20_000)
        await a_moment()
        submitted = second.begin("task.submit", queue="q", type="t")
        for _ in range(turns):
            await asyncio.sleep(0)
        await all.elect(all[1])
        assert claim.done()
        assert submitted.done()
        found = (await second.call("task.list", queue="q"))["tasks"]
        assert len(found) == 1 or submitted.exception() is not None
        if claim.exception() is None:
            assert found[0]["state"] == "in-progress"
            await first.call("task.complete", id=found[0]["id"], token=claim.result()["task"]["token"])
            return
        assert failure(claim).code is ErrorCode.OUTCOME_UNKNOWN
        await all.advance(90)  # what was claimed by who never heard of it lapses
        worker = all[1].caller()
        again = await worker.call("task.claim", queues=["q"])
        assert [again["task"]["id"]] == [task["id"] for task in found] if found else again["task"] is None


async def test_services_that_cannot_start_are_tried_again() -> None:
    async with town(2) as all:
        seize, left = all[1].engine.seize, [4]

        async def reluctant() -> None:
            if left[0]:
                left[0] -= 1
                raise SwarmwireError(ErrorCode.UNAVAILABLE, "not now") if left[0] else RuntimeError("odd")
            await seize()

        all[1].cluster._coordinating._seize = reluctant
        await all.elect(all[1])
        caller = all[0].caller()
        with pytest.raises(SwarmwireError) as refused:
            await caller.call("lock.status", name="x")
        assert refused.value.code is ErrorCode.UNAVAILABLE
        await all.advance(4.1)
        assert all[1].cluster.part is Part.ANSWERS
        assert all[1].election.resigned == 1
        assert not (await caller.call("lock.status", name="x"))["held"]


async def test_a_broker_that_leaves_gives_the_services_up_first() -> None:
    async with town(2) as all:
        await all[0].cluster.leave()
        assert all[0].cluster.part is Part.FORWARDS
        assert not all[0].election.is_coordinator
        await all[0].cluster.leave()


async def test_closing_twice_is_harmless() -> None:
    async with town(2) as all:
        await all[1].cluster.close()
        await all[1].cluster.close()
        await a_moment()
        assert [member.id for member in all[0].cluster.shown()] == [all[0].id]


async def test_everything_can_go_to_and_fro() -> None:
    async with town(2) as all:
        callers = [node.caller() for node in all.nodes]
        for turn in range(6):
            await all.elect(all[turn % 2])
            task = (await callers[turn % 2].call("task.submit", queue="q", type="t"))["task"]
            claimed = (await callers[1 - turn % 2].call("task.claim", queues=["q"]))["task"]
            assert claimed["id"] == task["id"]
            await callers[1 - turn % 2].call("task.complete", id=task["id"], token=claimed["token"])
        assert (await callers[0].call("queue.status", queue="q"))["completed"] == 6


async def test_a_coordinator_that_stood_still_answers_nothing_before_it_has_heard_that_it_is_none() -> None:
    async with town(2) as all:
        here, there = all[0].caller(), all[1].caller()
        all[0].election.coordinator = None  # its time ran out, and nobody was called
        for caller in (here, there):
            with pytest.raises(SwarmwireError) as refused:
                await caller.call("lock.status", name="x")
            assert refused.value.code is ErrorCode.UNAVAILABLE


async def test_a_being_whose_broker_was_lost_for_a_while_is_online_again_with_it() -> None:
    async with town(2) as all:
        being = all[1].caller()
        await being.call("registry.register", id="b", name="b", kind="agent", ttl=20_000)
        all[1].bus.is_cut = True
        await all.advance(7)
        assert (await all[0].caller().call("registry.get", id="b"))["state"] == "suspect"
        all[1].bus.is_cut = False
        await all.advance(1.5)
        assert (await all[0].caller().call("registry.get", id="b"))["state"] == "online"


async def test_the_processes_that_brokers_live_in_are_not_one_and_the_same() -> None:
    async with town(2) as all:
        one, two = (LocalClient(node.hub, LocalHandlers()) for node in all.nodes)
        token = (await one.call("lock.acquire", {"name": "x", "ttl": 60_000, "wait": 0}))["token"]
        with pytest.raises(SwarmwireError) as refused:
            await two.call("lock.acquire", {"name": "x", "ttl": 60_000, "wait": 0})
        assert refused.value.code is ErrorCode.LOCK_TIMEOUT
        await all.elect(all[1])
        again = await one.call("lock.acquire", {"name": "x", "ttl": 60_000, "wait": 0})
        assert again["token"] == token
        for client in (one, two):
            client.close()


async def test_a_cluster_that_cannot_be_joined_is_tried_until_time_is_up() -> None:
    async with town(1) as all:
        node = all[0]
        tries: list[float] = []

        async def refuse(prefix: str, changed: object) -> None:
            tries.append(node.clock.now)
            node.clock.now += 1
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "the state is away")

        node.engine.watch = refuse
        node.cluster._start_timeout = 2.0
        with pytest.raises(OSError, match="the cluster cannot be joined: the state is away"):
            await node.cluster.start()
        assert len(tries) == 2
