"""Events for whoever is live just now reach the clients of all brokers, and are sent nowhere in vain."""

from __future__ import annotations

from typing import Any

from swarmwire_protocol.codec import encode

from ..services.callers import Caller, a_moment
from .rig import Town, town


def subscribe(caller: Caller, *patterns: str) -> None:
    wanted = [{"pattern": pattern} for pattern in patterns]
    caller.session.receive(encode({"type": "subscribe", "id": "s", "subscriptions": wanted}))


def publish(caller: Caller, topic: str, data: Any, **more: Any) -> None:
    caller.session.receive(encode({"type": "publish", "topic": topic, "data": data, "ephemeral": True, **more}))


async def settled(all: Town) -> None:
    await all.advance(0.01)
    await a_moment()


def ephemeral(all: Town) -> int:
    return sum(b'"type":"ephemeral"' in payload for _, payload in all.way.sent)


async def test_an_ephemeral_event_reaches_subscribers_at_another_broker() -> None:
    async with town() as all:
        here, there, other = all[0].caller(), all[1].caller(), all[1].caller()
        subscribe(there, "agent.*.status")
        subscribe(other, "task.#")
        await settled(all)
        publish(here, "agent.a.status", {"n": 1})
        await a_moment()
        event = there.events[0]
        assert (event["topic"], event["data"], event["from"]) == ("agent.a.status", {"n": 1}, f"anonymous:{here.id}")
        assert "seq" not in event
        assert other.events == []


async def test_what_nobody_else_can_want_is_not_sent() -> None:
    async with town(3) as all:
        here, there = all[0].caller(), all[1].caller()
        subscribe(here, "#")
        subscribe(there, "task.#")
        await settled(all)
        publish(here, "agent.a.status", 1)
        await a_moment()
        assert ephemeral(all) == 0
        publish(here, "task.a.progress", 1)
        await a_moment()
        assert ephemeral(all) == 1
        assert [event["topic"] for event in there.events] == ["task.a.progress"]


async def test_who_unsubscribes_is_sent_nothing_any_more() -> None:
    async with town() as all:
        here, there = all[0].caller(), all[1].caller()
        subscribe(there, "#", "task.#")
        await settled(all)
        there.session.receive(encode({"type": "unsubscribe", "id": "u", "subs": ["#", "task.#"]}))
        await settled(all)
        publish(here, "task.a.progress", 1)
        await a_moment()
        assert ephemeral(all) == 0


async def test_an_instance_that_wants_no_echo_gets_none_at_another_broker() -> None:
    async with town() as all:
        here, same, other = all[0].caller("one"), all[1].caller("one"), all[1].caller("two")
        for caller in (same, other):
            subscribe(caller, "t")
        await settled(all)
        publish(here, "t", 1, echo=False)
        await a_moment()
        assert (len(same.events), len(other.events)) == (0, 1)


async def test_lifecycle_events_of_one_broker_are_seen_at_another() -> None:
    async with town() as all:
        watcher = all[1].caller()
        subscribe(watcher, "$sys.client.connected")
        await settled(all)
        came = all[0].caller()
        await a_moment()
        assert [event["data"]["client_id"] for event in watcher.events] == [came.id]


async def test_the_start_of_a_broker_is_told_at_the_others() -> None:
    async with town() as all:
        watcher, other = all[1].caller(), all[1].caller()
        subscribe(watcher, "$sys.daemon.*")
        subscribe(other, "#")
        all[0].hub.start_news.announce()
        await a_moment()
        assert [event["data"]["server"] for event in watcher.events] == [all[0].id]
        assert other.events == []


async def test_wildcards_in_first_place_do_not_ask_for_the_brokers_own_topics() -> None:
    async with town() as all:
        subscribe(all[1].caller(), "#")
        await settled(all)
        all[0].caller()
        await a_moment()
        assert ephemeral(all) == 0


async def test_many_first_segments_are_told_as_all() -> None:
    async with town() as all:
        theirs = [all[1].caller() for _ in range(11)]
        for number, there in enumerate(theirs):
            subscribe(there, *(f"s{number}-{other}.x" for other in range(100)))
        await settled(all)
        assert all[0].cluster._names.wants("anything.else")
        publish(all[0].caller(), "s10-99.x", 1)
        await a_moment()
        assert [event["topic"] for event in theirs[10].events] == ["s10-99.x"]


async def test_with_many_interested_brokers_one_message_is_for_all() -> None:
    async with town(5) as all:
        watchers = [node.caller() for node in all.nodes[1:]]
        for watcher in watchers:
            subscribe(watcher, "t")
        await settled(all)
        publish(all[0].caller(), "t", 1)
        await a_moment()
        assert ephemeral(all) == 1
        assert [len(watcher.events) for watcher in watchers] == [1, 1, 1, 1]


async def test_a_crowded_bus_drops_ephemeral_events_and_counts_them() -> None:
    async with town() as all:
        there = all[1].caller()
        subscribe(there, "t")
        await settled(all)
        all[0].bus.is_crowded = True
        publish(all[0].caller(), "t", 1)
        await a_moment()
        assert there.events == []
        assert all[0].hub.stats.ephemeral_skipped == 1


async def test_a_broker_that_left_is_not_sent_anything() -> None:
    async with town() as all:
        subscribe(all[1].caller(), "t")
        await settled(all)
        await all[1].cluster.close()
        await a_moment()
        publish(all[0].caller(), "t", 1)
        await a_moment()
        assert ephemeral(all) == 0
