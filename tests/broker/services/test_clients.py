"""Who is connected, and events for one client that needs no subscription."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Verified
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .callers import Caller, a_moment, running


async def by_name(token: str | None, metadata: dict[str, Any]) -> Verified:
    """`guest` may call, and publish a little; everybody else may do everything."""
    if token is None:
        raise SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
    some = Permissions(publish=["guest.#"], subscribe=["#"], call=["#"])
    return Verified(subject=token, permissions=some if token == "guest" else EVERYTHING)


@pytest.fixture(name="broker")
async def _broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


@pytest.fixture(name="strict")
async def _strict(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch, by_name) as broker:
        yield broker


async def refused(answer: Any, code: ErrorCode, field: str | None = None) -> None:
    with pytest.raises(SwarmwireError) as raised:
        await answer
    assert (raised.value.code, raised.value.field) == (code, field), raised.value


def but(*callers: Caller) -> Any:
    return {"except": [caller.id for caller in callers]}


async def test_an_event_reaches_one_client_without_a_subscription_and_nobody_else(broker: Broker) -> None:
    sender, receiver, other = Caller(broker), Caller(broker), Caller(broker)
    other.session.receive(b'{"type":"subscribe","id":1,"subscriptions":[{"pattern":"#"}]}')
    answer = await sender.call("client.send", client_id=receiver.id, topic="a.b", data={"x": 1}, headers={"h": "1"})
    await a_moment()
    assert answer == {"sent": 1}
    event = receiver.events[0]
    assert event.pop("ts") > 0
    assert receiver.events == [
        {
            "type": "event",
            "topic": "a.b",
            "data": {"x": 1},
            "from": f"anonymous:{sender.id}",
            "headers": {"h": "1"},
            "direct": True,
        }
    ]
    assert (other.events, broker.hub.engine.head) == ([], 0)


async def test_a_broadcast_reaches_all_but_those_excepted_and_says_how_many(broker: Broker) -> None:
    callers = [Caller(broker) for _ in range(4)]
    answer = await callers[0].call("client.broadcast", topic="a", data=1, **but(callers[0], callers[2]))
    await a_moment()
    assert answer == {"sent": 2}
    assert [len(caller.events) for caller in callers] == [0, 1, 0, 1]


async def test_who_is_not_logged_in_gets_nothing(strict: Broker) -> None:
    sender = Caller(strict, token="ann")
    stranger = Caller(strict)
    strict.hub.connect(stranger.sink, stranger.session.peer)
    await a_moment()
    assert (await sender.call("client.broadcast", topic="a", data=1)) == {"sent": 1}
    await refused(
        sender.call("client.send", client_id=stranger.id, topic="a", data=1), ErrorCode.NOT_FOUND, "params.client_id"
    )


async def test_an_unknown_client_is_not_found(broker: Broker) -> None:
    caller = Caller(broker)
    calls: list[tuple[str, Any]] = [("client.send", {"topic": "a", "data": 1}), ("client.get", {})]
    for method, more in (*calls, ("client.disconnect", {})):
        await refused(caller.call(method, client_id="nobody", **more), ErrorCode.NOT_FOUND, "params.client_id")


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("$sys.a", ErrorCode.PERMISSION_DENIED),
        ("elsewhere", ErrorCode.PERMISSION_DENIED),
        ("registry.agent.a", ErrorCode.PERMISSION_DENIED),
        ("a..b", ErrorCode.INVALID_TOPIC),
    ],
)
async def test_only_what_one_may_publish_may_be_sent(strict: Broker, topic: str, code: ErrorCode) -> None:
    guest = Caller(strict, token="guest")
    await refused(guest.call("client.send", client_id=guest.id, topic=topic, data=1), code, "params.topic")
    assert (await guest.call("client.send", client_id=guest.id, topic="guest.a", data=1)) == {"sent": 1}


@pytest.mark.parametrize(
    "method",
    [
        "client.broadcast",
        "client.list",
        "client.get",
        "client.disconnect",
        "topic.list",
        "topic.subscribers",
        "subscription.list",
    ],
)
async def test_operators_methods_need_the_admin_permission(strict: Broker, method: str) -> None:
    await refused(Caller(strict, token="guest").call(method), ErrorCode.PERMISSION_DENIED, "method")


async def test_a_client_that_takes_nothing_is_unavailable_and_not_counted(broker: Broker) -> None:
    sender, stalled = Caller(broker), Caller(broker)
    stalled.sink.stall()
    large = "x" * 1_100_000
    assert (await sender.call("client.send", client_id=stalled.id, topic="a", data=large)) == {"sent": 1}
    await a_moment()
    await refused(sender.call("client.send", client_id=stalled.id, topic="a", data=1), ErrorCode.UNAVAILABLE)
    assert (await sender.call("client.broadcast", topic="a", data=1, **but(sender))) == {"sent": 0}
    stalled.sink.drain()
    assert (await sender.call("client.send", client_id=stalled.id, topic="a", data=1)) == {"sent": 1}


async def test_clients_are_listed_with_what_operators_need_and_no_secrets(broker: Broker) -> None:
    caller, other = Caller(broker, "secret-instance"), Caller(broker)
    brief = Caller(broker, brief=True)
    local = broker.subscribe("a")
    other.session.receive(b'{"type":"subscribe","id":1,"subscriptions":[{"pattern":"a"},{"pattern":"b"}]}')
    await a_moment()
    listed = await caller.call("client.list")
    assert [each["client_id"] for each in listed["clients"]] == [caller.id, other.id]
    assert listed["count"] == 2
    facts = await caller.call("client.get", client_id=other.id)
    assert facts == listed["clients"][1]
    assert facts["connected_at"] > 1_700_000_000_000
    assert {name: facts[name] for name in ("name", "transport", "subject", "subscriptions", "catching_up")} == {
        "name": "test",
        "transport": "test",
        "subject": f"anonymous:{other.id}",
        "subscriptions": 2,
        "catching_up": False,
    }
    assert "secret" not in str(listed)
    assert brief.id not in str(listed)
    await local.aclose()


@pytest.mark.parametrize("mode", ["all", "drop_oldest", {"conflate_ms": 0}])
async def test_a_client_that_does_not_read_lags_and_one_that_reads_again_does_not(
    mode: str | dict[str, int],
) -> None:
    broker = Broker()  # by the real clock, for its ticks
    await broker.start()
    caller, slow = Caller(broker), Caller(broker)
    wanted = {"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "mode": mode}]}
    slow.session.receive(json.dumps(wanted).encode())

    async def lag() -> int:
        return cast(int, (await caller.call("client.get", client_id=slow.id))["lag"])

    await broker.publish("other", 1)
    assert await lag() == 0
    slow.sink.stall()
    for _ in range(3):
        await broker.publish("a", "x" * 1_100_000)
        await a_moment()
    assert await lag() >= 1
    slow.sink.drain()
    async with asyncio.timeout(10):
        while await lag():
            await a_moment()
    await broker.stop()


async def test_the_list_of_clients_filters_and_pages(strict: Broker) -> None:
    ann, bob = Caller(strict, token="ann"), Caller(strict, token="bob")
    await a_moment()
    assert (await ann.call("client.list", subject="bob"))["clients"][0]["client_id"] == bob.id
    assert (await ann.call("client.list", name="nobody"))["count"] == 0
    page = await ann.call("client.list", transport="test", limit=1, offset=1)
    assert (page["count"], [each["client_id"] for each in page["clients"]]) == (2, [bob.id])


async def test_a_client_is_closed_for_good_with_the_reason_given(broker: Broker) -> None:
    caller, other = Caller(broker), Caller(broker)
    facts = await caller.call("client.disconnect", client_id=other.id, reason="go away")
    await a_moment()
    assert facts["client_id"] == other.id
    assert other.sink.closed == (CloseCode.REMOVED, "go away")
    assert caller.sink.closed is None
    await caller.call("client.disconnect", client_id=caller.id)
    await a_moment()
    assert caller.sink.closed is not None


async def test_an_event_for_oneself_comes_between_others_in_order(broker: Broker) -> None:
    caller = Caller(broker)
    caller.session.receive(b'{"type":"subscribe","id":901,"subscriptions":[{"pattern":"a"}]}')
    await broker.publish("a", 1)
    await caller.call("client.send", client_id=caller.id, topic="a", data=2)
    await broker.publish("a", 3)
    await a_moment()
    assert [event["data"] for event in caller.events] == [1, 2, 3]
