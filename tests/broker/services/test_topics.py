"""What was published last where, and who would hear of the next."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .callers import Caller, running


@pytest.fixture(name="broker")
async def _broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


def subscribe(caller: Caller, *wanted: dict[str, Any]) -> Caller:
    caller.session.receive(encode({"type": "subscribe", "id": 900, "subscriptions": list(wanted)}))
    return caller


async def test_topics_are_listed_by_their_last_events(broker: Broker) -> None:
    for topic in ("a.1", "a.2", "b", "a.1"):
        await broker.publish(topic, topic)
    listed = await Caller(broker).call("topic.list", pattern="a.*")
    assert [(each["topic"], each["seq"]) for each in listed["topics"]] == [("a.2", 2), ("a.1", 4)]
    assert listed["count"] == 2
    assert all(each["bytes"] > 20 and each["ts"] > 0 for each in listed["topics"])


async def test_a_cleared_topic_is_not_listed(broker: Broker) -> None:
    await broker.publish("a", 1)
    await broker.publish("a", None, clear=True)
    assert await Caller(broker).call("topic.list") == {"count": 0, "topics": []}


async def test_topics_come_in_pages_and_all_are_counted(broker: Broker) -> None:
    for number in range(2_500):
        await broker.publish(f"n.{number}", number)
    page = await Caller(broker).call("topic.list", limit=2, offset=2_400)
    assert (page["count"], [each["topic"] for each in page["topics"]]) == (2_500, ["n.2400", "n.2401"])


async def test_the_subscribers_of_a_topic_include_the_holders_of_wildcards(broker: Broker) -> None:
    exact = subscribe(Caller(broker), {"pattern": "agent.a1.status", "sub": "mine"})
    wild = subscribe(Caller(broker), {"pattern": "agent.*.status", "mode": "drop_oldest"}, {"pattern": "task.#"})
    every = subscribe(Caller(broker), {"pattern": "#", "mode": {"conflate_ms": 1000}, "from": "start"})
    subscribe(Caller(broker), {"pattern": "agent.a2.#"})
    found = await exact.call("topic.subscribers", topic="agent.a1.status")
    assert found["count"] == 3
    assert [(each["client_id"], each["pattern"], each["mode"]) for each in found["subscriptions"]] == [
        (exact.id, "agent.a1.status", "all"),
        (wild.id, "agent.*.status", "drop_oldest"),
        (every.id, "#", "conflate"),
    ]
    assert found["subscriptions"][0]["sub"] == "mine"


async def test_who_has_unsubscribed_or_left_is_no_subscriber_any_more(broker: Broker) -> None:
    one, other = subscribe(Caller(broker), {"pattern": "a"}), subscribe(Caller(broker), {"pattern": "a"})
    one.session.receive(encode({"type": "unsubscribe", "id": 901, "subs": ["a"]}))
    other.leave()
    assert (await one.call("topic.subscribers", topic="a"))["count"] == 0


async def test_subscriptions_are_listed_by_client_and_by_pattern(broker: Broker) -> None:
    one = subscribe(Caller(broker), {"pattern": "a.b"}, {"pattern": "a.*", "mode": "disconnect"})
    two = subscribe(Caller(broker), {"pattern": "a.c"}, {"pattern": "d"})

    async def listed(**filters: Any) -> list[tuple[str, str]]:
        found = await one.call("subscription.list", **filters)
        assert found["count"] == len(found["subscriptions"])
        return [(each["client_id"], each["pattern"]) for each in found["subscriptions"]]

    assert len(await listed()) == 4
    assert await listed(client_id=one.id) == [(one.id, "a.b"), (one.id, "a.*")]
    assert await listed(pattern="a.*") == [(one.id, "a.b"), (one.id, "a.*"), (two.id, "a.c")]
    assert await listed(pattern="d", client_id=one.id) == []


async def test_subscriptions_come_in_pages_and_all_are_counted(broker: Broker) -> None:
    caller = subscribe(Caller(broker), *({"pattern": f"n.{number}"} for number in range(50)))
    page = await caller.call("subscription.list", limit=2, offset=10)
    assert (page["count"], [each["pattern"] for each in page["subscriptions"]]) == (50, ["n.10", "n.11"])


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("topic.list", {"pattern": "a..b"}),
        ("topic.subscribers", {"topic": "a.*"}),
        ("subscription.list", {"pattern": ""}),
    ],
)
async def test_what_is_no_topic_or_pattern_is_named(broker: Broker, method: str, params: Any) -> None:
    with pytest.raises(SwarmwireError) as raised:
        await Caller(broker).call(method, **params)
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_TOPIC, f"params.{next(iter(params))}")
