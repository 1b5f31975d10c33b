"""Calls of services of which a cluster has one: asked at any broker, answered by the coordinator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire_broker.core.ports import Peer
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..services.callers import Caller, a_moment, until
from .rig import town


async def refused(caller: Caller, method: str, **params: Any) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as found:
        await caller.call(method, **params)
    return found.value


async def test_a_lock_acquired_at_one_broker_is_refused_at_another() -> None:
    async with town() as all:
        here, there = all[0].caller(), all[1].caller()
        first = await there.call("lock.acquire", name="x", ttl=10_000)
        assert first["token"] > 0
        assert (await refused(here, "lock.acquire", name="x", ttl=10_000, wait=0)).code is ErrorCode.LOCK_TIMEOUT
        assert (await here.call("lock.status", name="x"))["holder"]["client_id"] == there.id


async def test_a_bye_at_another_broker_frees_a_lock_at_once() -> None:
    async with town(3) as all:
        holder, next_one = all[1].caller(), all[2].caller()
        await holder.call("lock.acquire", name="x", ttl=60_000)
        waiting = next_one.begin("lock.acquire", name="x", ttl=60_000, wait=30_000)
        await a_moment()
        assert not waiting.done()
        holder.leave()
        await a_moment()
        assert waiting.result()["name"] == "x"


async def test_a_lost_connection_at_another_broker_leaves_a_lock_to_its_ttl() -> None:
    async with town() as all:
        holder, other = all[1].caller(), all[0].caller()
        await holder.call("lock.acquire", name="x", ttl=10_000)
        holder.vanish()
        await a_moment()
        status = await other.call("lock.status", name="x")
        assert status["held"]
        assert not status["holder"]["connected"]
        await all.advance(10.1)
        assert not (await other.call("lock.status", name="x"))["held"]


async def test_the_same_instance_goes_on_with_its_lock_at_another_broker() -> None:
    async with town(3) as all:
        before = all[1].caller("one")
        token = (await before.call("lock.acquire", name="x", ttl=10_000))["token"]
        before.vanish()
        after = all[2].caller("one")
        # Nobody logged in, so the instance is who it is.
        again = await after.call("lock.acquire", name="x", ttl=10_000, wait=0)
        assert again["token"] == token
        assert (await after.call("lock.status", name="x"))["holder"] == {
            "client_id": after.id,
            "sender": f"anonymous:{after.id}",
            "connected": True,
        }


async def test_a_broker_that_is_gone_loses_all_its_connections() -> None:
    async with town() as all:
        holder, other = all[1].caller(), all[0].caller()
        await holder.call("lock.acquire", name="x", ttl=60_000)
        all[1].kill()
        await all.advance(4)
        assert (await other.call("lock.status", name="x"))["holder"]["connected"]
        await all.advance(3)
        assert not (await other.call("lock.status", name="x"))["holder"]["connected"]


async def test_a_task_submitted_at_one_broker_is_claimed_at_another() -> None:
    async with town() as all:
        client, worker = all[0].caller(), all[1].caller()
        claim = worker.begin("task.claim", queues=["q"], wait=20_000)
        await a_moment()
        task = await client.call("task.submit", queue="q", type="t", payload={"n": 1})
        await a_moment()
        claimed = claim.result()["task"]
        assert claimed["id"] == task["task"]["id"]
        done = await worker.call("task.complete", id=claimed["id"], token=claimed["token"], result={"ok": True})
        assert done["task"]["state"] == "completed"
        assert (await client.call("task.wait", id=claimed["id"]))["task"]["result"] == {"ok": True}


async def test_a_claim_that_is_given_up_takes_no_task_along() -> None:
    async with town() as all:
        client, worker = all[0].caller(), all[1].caller()
        claim = worker.begin("task.claim", queues=["q"], wait=20_000)
        await a_moment()
        worker.cancel(claim)
        await a_moment()
        await client.call("task.submit", queue="q", type="t")
        assert (await client.call("task.list", queue="q"))["tasks"][0]["state"] == "pending"


async def test_a_worker_whose_connection_ended_with_a_bye_gives_its_task_back() -> None:
    async with town() as all:
        client, worker = all[0].caller(), all[1].caller()
        await client.call("task.submit", queue="q", type="t")
        await worker.call("task.claim", queues=["q"])
        worker.leave()
        await a_moment()
        assert (await client.call("task.list", queue="q"))["tasks"][0]["state"] == "pending"


async def test_a_holder_elsewhere_hears_at_once_that_its_task_was_taken() -> None:
    async with town() as all:
        client, worker = all[0].caller(), all[1].caller()
        await client.call("task.submit", queue="q", type="t")
        claimed = (await worker.call("task.claim", queues=["q"]))["task"]
        await client.call("task.cancel", id=claimed["id"])
        await a_moment()
        assert [event["topic"] for event in worker.events] == [f"task.{claimed['id']}.cancelled"]
        assert worker.events[0]["headers"] == {"token": str(claimed["token"])}


async def test_the_registry_is_the_same_at_both_brokers() -> None:
    async with town() as all:
        one, two = all[0].caller(), all[1].caller()
        await one.call("registry.register", id="a", name="a", kind="agent", ttl=10_000)
        await two.call("registry.register", id="b", name="b", kind="agent", ttl=10_000)
        lists = [await caller.call("registry.list", kind="agent") for caller in (one, two)]
        assert lists[0] == lists[1]
        assert [being["id"] for being in lists[0]["beings"]] == ["a", "b"]
        assert [being["client_id"] for being in lists[0]["beings"]] == [one.id, two.id]


async def test_traffic_at_another_broker_is_a_heartbeat() -> None:
    async with town() as all:
        being = all[1].caller()
        await being.call("registry.register", id="b", name="b", kind="agent", ttl=10_000)
        for _ in range(6):
            being.session.receive(b'{"type":"ping"}')
            await all.advance(10)
        assert (await all[0].caller().call("registry.get", id="b"))["state"] == "online"


async def test_silence_at_another_broker_makes_a_being_suspect() -> None:
    async with town() as all:
        being, other = all[1].caller(), all[0].caller()
        await being.call("registry.register", id="b", name="b", kind="agent", ttl=5_000)
        await all.advance(20)
        assert not all[1].hub.sessions[being.id].is_welcome or all[1].hub.sessions[being.id].is_silent
        assert (await other.call("registry.get", id="b"))["state"] == "suspect"


async def test_what_is_wrong_with_parameters_is_said_at_home() -> None:
    async with town() as all:
        sent = len(all.way.sent)
        error = await refused(all[1].caller(), "lock.acquire", name=7)
        assert (error.code, error.field) == (ErrorCode.INVALID_MESSAGE, "params.name")
        assert len(all.way.sent) == sent


async def test_an_error_of_a_service_arrives_with_all_its_parts() -> None:
    async with town() as all:
        error = await refused(all[1].caller(), "lock.release", name="x", token=3)
        here = await refused(all[0].caller(), "lock.release", name="x", token=3)
        assert (error.code, error.message, error.field) == (here.code, here.message, here.field)


async def test_without_a_coordinator_calls_fail_at_once_and_can_be_tried_again() -> None:
    async with town() as all:
        await all.elect(None)
        for node in all.nodes:
            caller = node.caller()
            error = await refused(caller, "lock.status", name="x")
            assert error.code is ErrorCode.UNAVAILABLE
            assert caller.sink.received[-1]["retry_after_ms"] == 1_000


async def test_a_broker_that_is_not_the_coordinator_any_more_refuses_what_it_is_asked() -> None:
    async with town() as all:
        await all.elect(None, but=[all[1]])
        assert (await refused(all[1].caller(), "lock.status", name="x")).code is ErrorCode.UNAVAILABLE


async def test_a_wait_for_a_lock_ends_with_lock_timeout_and_not_with_the_end_of_the_call() -> None:
    async with town() as all:
        holder, other = all[0].caller(), all[1].caller()
        await holder.call("lock.acquire", name="x", ttl=600_000)
        answer = other.begin("lock.acquire", timeout=4, name="x", ttl=10_000, wait=60_000)
        await all.advance(4.5)
        with pytest.raises(SwarmwireError) as found:
            answer.result()
        assert found.value.code is ErrorCode.LOCK_TIMEOUT


async def test_permissions_of_a_caller_elsewhere_are_those_of_its_login() -> None:
    async with town() as all:
        caller = all[1].caller()
        caller.session.author.permit(type(caller.session.author.permissions)(call=["swarm.#"], publish=["other.#"]))
        error = await refused(caller, "swarm.propose", swarm_id="s", proposal_id="p", title="t", deadline=1_000)
        assert error.code is ErrorCode.PERMISSION_DENIED


async def test_a_caller_for_one_request_alone_leaves_nothing_behind() -> None:
    async with town() as all:
        brief = all[1].caller(brief=True)
        lock = await brief.call("lock.acquire", name="x", ttl=10_000)
        brief.vanish()
        await a_moment()
        assert len(all[0].cluster.callers) == 0
        status = await all[0].caller().call("lock.status", name="x")
        assert (status["token"], status["holder"]["connected"]) == (lock["token"], False)


async def test_callers_are_forgotten_with_their_connections() -> None:
    async with town() as all:
        callers = [all[1].caller() for _ in range(20)]
        for caller in callers:
            await caller.call("lock.status", name="x")
        assert len(all[0].cluster.callers) == 20
        for number, caller in enumerate(callers):
            caller.leave() if number % 2 else caller.vanish()
        await a_moment()
        assert len(all[0].cluster.callers) == 0
        assert len(all[1].cluster._presence) == 0


async def test_the_death_of_a_process_at_another_broker_frees_what_it_held() -> None:
    async with town() as all:
        other = all[0].caller()
        process = await asyncio.create_subprocess_exec("sleep", "60")
        peer = Peer(transport="unix", subject="uid:7", pid=process.pid)
        holder = all[1].caller(peer=peer)
        await holder.call("lock.acquire", name="x", ttl=600_000)
        being = await holder.call("registry.register", name="b", kind="agent", ttl=600_000)
        assert being["pid"] == process.pid
        holder.vanish()
        await a_moment()
        assert (await other.call("lock.status", name="x"))["held"]
        process.kill()
        await process.wait()
        await until(lambda: not all[0].cluster.callers._departed)
        await a_moment()
        assert not (await other.call("lock.status", name="x"))["held"]
        assert (await other.call("registry.list"))["count"] == 0
