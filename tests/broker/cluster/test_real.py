"""Two whole brokers on a nats-server, of each version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.services.operators.membership import MemberFacts
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...nats.pool import shared
from ...nats.servers import NatsServer, Version, needs, new_space
from ..services.callers import Caller, until
from .rig import Handler


def members(broker: Broker) -> list[MemberFacts]:
    """The cluster, as a broker sees it."""
    assert broker._cluster is not None
    return broker._cluster.shown()


@asynccontextmanager
async def brokers(server: NatsServer, count: int = 2) -> AsyncGenerator[list[Broker]]:
    """So many, that know each other and who answers for them."""
    config = Config(nats=[server.url], nats_space=new_space())
    found = [Broker(config) for _ in range(count)]
    try:
        for broker in found:
            await broker.start()
        await until(lambda: all(len(members(broker)) == count for broker in found))
        await until(lambda: sum(one.coordinator for one in members(found[0])) == 1)
        yield found
    finally:
        for broker in found:
            await broker.stop()


def coordinator_first(found: list[Broker]) -> list[Broker]:
    """The brokers, the one that answers for all first."""
    shown = members(found[0])
    id = next(facts.id for facts in shown if facts.coordinator)
    return sorted(found, key=lambda broker: broker.hub.info.id != id)


async def eventually(work: Callable[[], Any]) -> Any:
    """The answer of a call, tried again as long as the broker says that this can help."""
    for _ in range(200):
        try:
            return await work()
        except SwarmwireError as error:
            if error.code is not ErrorCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.05)
    raise AssertionError("nobody ever answered")


async def test_locks_tasks_and_the_registry_are_one_for_both(nats_server: NatsServer) -> None:
    async with brokers(nats_server) as found:
        one, two = (Caller(broker) for broker in found)
        lock = await one.call("lock.acquire", name="x", ttl=60_000)
        with pytest.raises(SwarmwireError) as refused:
            await two.call("lock.acquire", name="x", ttl=60_000, wait=0)
        assert refused.value.code is ErrorCode.LOCK_TIMEOUT
        waiting = two.begin("lock.acquire", name="x", ttl=60_000, wait=20_000)
        one.leave()
        assert (await waiting)["token"] > lock["token"]

        three, four = (Caller(broker) for broker in reversed(found))
        await three.call("registry.register", id="a", name="a", kind="agent", ttl=10_000)
        assert await two.call("registry.list") == await four.call("registry.list")
        task = (await three.call("task.submit", queue="q", type="t", payload=1))["task"]
        claimed = (await four.call("task.claim", queues=["q"]))["task"]
        assert claimed["id"] == task["id"]
        await four.call("task.complete", id=task["id"], token=claimed["token"], result=2)
        assert (await three.call("task.wait", id=task["id"]))["task"]["result"] == 2


async def test_calls_events_and_clients_cross_from_one_to_the_other(nats_server: NatsServer) -> None:
    async with brokers(nats_server) as found:
        handler, caller = Handler(found[0].hub), Caller(found[1])
        await handler.call("rpc.register", methods=["greet"])
        answer = caller.begin("greet", n=1)
        await until(lambda: bool(handler.asked))
        handler.reply("hi")
        assert await answer == "hi"
        assert await caller.call("client.send", client_id=handler.id, topic="t", data=7) == {"sent": 1}
        await until(lambda: [event["data"] for event in handler.events] == [7])

        wanted = [{"pattern": "$sys.client.connected"}, {"pattern": "t.#"}]
        caller.session.receive(encode({"type": "subscribe", "id": "s", "subscriptions": wanted}))
        await until(lambda: found[0].hub.delivery.others.want("t.x"))  # type: ignore[union-attr]
        other = Caller(found[0])
        await until(lambda: [event["data"]["client_id"] for event in caller.events] == [other.id])
        status = await caller.call("daemon.status")
        assert {member["id"] for member in status["members"]} == {broker.hub.info.id for broker in found}


async def test_what_clients_may_not_publish_they_may_not_publish_at_either(nats_server: NatsServer) -> None:
    async with brokers(nats_server) as found:
        first, second = Caller(found[0]), Caller(found[1])
        task = (await first.call("task.submit", queue="q", type="t"))["task"]

        def is_refused(caller: Caller) -> bool:
            publish = {"type": "publish", "topic": f"task.{task['id']}.completed", "data": 1, "id": "p"}
            caller.session.receive(encode(publish))
            caller.session.hub.delivery.settle()
            return any(message.get("code") == "PERMISSION_DENIED" for message in caller.sink.received)

        for caller in (first, second):
            await until(partial(is_refused, caller))


async def test_a_broker_that_stops_hands_the_services_over(nats_server: NatsServer) -> None:
    async with brokers(nats_server) as found:
        first, second = coordinator_first(found)
        holder = Caller(second)
        lock = await holder.call("lock.acquire", name="x", ttl=60_000)
        await first.stop()
        status = await eventually(lambda: holder.call("lock.status", name="x"))
        assert status["token"] == lock["token"]
        assert status["holder"]["connected"]


async def test_a_broker_that_has_started_answers_at_once(nats_server: NatsServer) -> None:
    config = Config(nats=[nats_server.url], nats_space=new_space())
    first, second = Broker(config), Broker(config)
    try:
        for broker in (first, second):
            await broker.start()
            assert (await Caller(broker).call("lock.list"))["count"] == 0
    finally:
        for broker in (second, first):
            await broker.stop()


async def test_gauges_tell_how_many_brokers_there_are_and_which_answers_for_all(nats_server: NatsServer) -> None:
    async with brokers(nats_server) as found:
        await until(lambda: found[0].stats.gauges["members"]() == found[1].stats.gauges["members"]() == 2)
        first, second = coordinator_first(found)
        assert (first.stats.gauges["coordinator"](), second.stats.gauges["coordinator"]()) == (1, 0)
        await first.stop()
        await until(lambda: second.stats.gauges["coordinator"]() == second.stats.gauges["members"]() == 1)


async def test_a_login_that_is_revoked_at_one_broker_is_at_all(nats_server: NatsServer) -> None:
    async with brokers(nats_server) as found:
        callers = [Caller(broker) for broker in found]
        assert found[0].revoke(subject=f"anonymous:{callers[1].id}") == 0
        await until(lambda: callers[1].sink.closed is not None)
        assert callers[0].sink.closed is None


@needs(Version.NEWEST)
async def test_another_broker_answers_when_the_coordinator_is_gone_without_a_word() -> None:
    async with brokers(shared(Version.NEWEST)) as found:
        first, second = coordinator_first(found)
        gone, holder = Caller(first), Caller(second)
        lost = await gone.call("lock.acquire", name="gone", ttl=60_000)
        kept = await holder.call("lock.acquire", name="kept", ttl=60_000)
        waiting = holder.begin("lock.acquire", name="gone", ttl=60_000, wait=60_000)
        assert first._cluster is not None
        await first._cluster._bus.close()  # nobody hears anything of it any more
        await first.hub.engine.link.close()  # type: ignore[attr-defined]
        with pytest.raises(SwarmwireError) as ended:
            await waiting
        assert ended.value.code is ErrorCode.OUTCOME_UNKNOWN
        status = await eventually(lambda: holder.call("lock.status", name="gone"))
        assert (status["token"], status["holder"]["connected"]) == (lost["token"], False)
        assert (await holder.call("lock.status", name="kept"))["token"] == kept["token"]
        assert (await holder.call("lock.renew", name="kept", token=kept["token"]))["token"] == kept["token"]
        assert not first._cluster._coordinating._election.is_coordinator
