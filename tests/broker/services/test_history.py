"""history.read: pages of the log for whoever may subscribe to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmwire import connect
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Auth, Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions


def data(page: Any) -> list[Any]:
    return [event["data"] for event in page["events"]]


@pytest.mark.parametrize("durable", [False, True])
async def test_pages_follow_each_other_by_their_cursor(durable: bool, tmp_path: Path) -> None:
    broker = Broker(Config(data=str(tmp_path) if durable else None))
    await broker.start()
    for number in range(25):
        await broker.publish("a.b" if number % 2 else "a.c", number)
    found: list[Any] = []
    page = await broker.call("history.read", {"pattern": "a.b", "limit": 5})
    while True:
        found += data(page)
        if not page["more"]:
            break
        page = await broker.call("history.read", {"pattern": "a.b", "limit": 5, "after": page["cursor"]})
    assert found == list(range(1, 25, 2))
    assert page["cursor"].endswith(":25")
    await broker.publish("a.b", "late")
    page = await broker.call("history.read", {"pattern": "a.b", "after": page["cursor"]})
    await broker.stop()
    assert (data(page), page["more"]) == (["late"], False)


async def test_an_event_of_a_page_says_all_that_it_said_live(broker: Server) -> None:
    async with connect(broker.url) as client:
        await client.publish("a", {"x": 1}, headers={"k": "v"})
        page = await client.call("history.read", {"pattern": "a"})
    (event,) = page["events"]
    assert (event["topic"], event["seq"], event["data"], event["headers"]) == ("a", 1, {"x": 1}, {"k": "v"})
    assert event["from"].startswith(("anonymous:", "uid:"))


async def test_what_was_evicted_is_told_as_a_gap() -> None:
    broker = Broker(Config(limits=Limits(log_events=3)))
    await broker.start()
    begin = (await broker.call("history.read", {"pattern": "a"}))["cursor"]
    for number in range(5):
        await broker.publish("a", number)
    page = await broker.call("history.read", {"pattern": "a", "after": begin})
    await broker.stop()
    assert data(page) == [2, 3, 4]
    assert [(gap["reason"], gap["to"].rpartition(":")[2]) for gap in page["gaps"]] == [("evicted", "2")]


async def test_it_needs_no_admin_but_the_permission_to_subscribe(broker_factory: BrokerFactory) -> None:
    may = Permissions(subscribe=["a.#"], call=["history.read"])
    server = await broker_factory(auth=Auth(token="sesame", default_permissions=may))
    await server.broker.publish("a.b", 1)
    async with connect(server.url, token="sesame") as client:
        assert data(await client.call("history.read", {"pattern": "a.*"})) == [1]
        for pattern in ("#", "b", "$sys.#"):
            with pytest.raises(SwarmwireError) as refused:
                await client.call("history.read", {"pattern": pattern})
            assert (refused.value.code, refused.value.field) == (ErrorCode.PERMISSION_DENIED, "params.pattern")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.pattern"),
        ({"pattern": "a..b"}, "params.pattern"),
        ({"pattern": "a", "after": "soon"}, "params.after"),
        ({"pattern": "a", "limit": 0}, "params.limit"),
        ({"pattern": "a", "limit": 1_001}, "params.limit"),
    ],
)
async def test_what_it_is_asked_for_is_checked_by_name(broker: Server, params: dict[str, Any], field: str) -> None:
    async with connect(broker.url) as client:
        with pytest.raises(SwarmwireError) as refused:
            await client.call("history.read", params)
    assert refused.value.field == field
    assert refused.value.code in (ErrorCode.INVALID_MESSAGE, ErrorCode.INVALID_TOPIC)


async def test_a_page_leaves_no_session_behind(broker: Server) -> None:
    async with connect(broker.url) as client:
        before = len(broker.broker.hub.sessions)
        for _ in range(3):
            await client.call("history.read", {"pattern": "#"})
        assert len(broker.broker.hub.sessions) == before


async def test_a_full_broker_refuses_it_with_its_reason(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(limits=Limits(max_connections=1))
    async with connect(server.url) as client:
        with pytest.raises(SwarmwireError) as refused:
            await client.call("history.read", {"pattern": "#"})
    assert refused.value.code is ErrorCode.LIMIT_EXCEEDED
