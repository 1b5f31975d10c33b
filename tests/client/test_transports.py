"""The SDK over every transport, towards a real broker in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from swarmwire import ErrorCode, Gap, Live, Published, Subscription, SwarmwireError, connect, connect_sync
from swarmwire_broker.config import Auth, Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_protocol.places import socket_path

NAME = "everywhere"
PATIENCE = 20.0

WAYS: dict[str, Callable[[Server], str]] = {
    "ws": lambda server: server.url,
    "unix": lambda _: f"unix://{socket_path(NAME)}",
    "pipe": lambda _: f"pipe://{NAME}",
    "http": lambda server: f"http://127.0.0.1:{server.port}",
}

every_way = pytest.mark.parametrize("way", WAYS)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(Config(port=0, name=NAME, pipe="auto")) as server:
        yield server


async def data(subscription: Subscription[Any], count: int) -> list[Any]:
    """The data of the next events."""
    async with asyncio.timeout(PATIENCE):
        return [(await anext(subscription)).data for _ in range(count)]


@every_way
async def test_publishing_and_subscribing(way: str, server: Server) -> None:
    url = WAYS[way](server)
    async with connect(url) as client, connect(url) as other:
        assert client.url == url
        past, live = await client.subscribe("a.#", from_="start"), await client.subscribe("a.b")
        published = await asyncio.gather(*(other.publish("a.b", number) for number in range(500)))
        assert [each.seq for each in published] == list(range(1, 501))
        assert await other.publish("a.b", "again", key="k") == Published(501, False)
        assert await other.publish("a.b", "again", key="k") == Published(501, True)
        await client.publish("a.b", "end")
        for subscription in (past, live):
            assert await data(subscription, 502) == [*range(500), "again", "end"]


@every_way
async def test_a_slow_reader_gets_everything_and_a_call_in_its_loop_is_answered(way: str, server: Server) -> None:
    url = WAYS[way](server)
    async with connect(url) as client, client.subscribe("a", from_="start", buffer=10) as events:
        await asyncio.gather(*(client.publish("a", number) for number in range(300)))
        for number in range(300):
            assert (await anext(events)).data == number
            if number % 100 == 0:
                assert await client.ping() > 0


@every_way
async def test_the_blocking_client_takes_every_url(way: str, server: Server) -> None:
    url = WAYS[way](server)

    def talk() -> list[object]:
        with connect_sync(url) as client, client.subscribe("a", from_="start", timeout=5.0) as events:
            for number in range(3):
                client.publish("a", number)
            return [next(events).data for _ in range(3)]

    assert await asyncio.to_thread(talk) == [0, 1, 2]


@every_way
async def test_a_broker_of_another_name_than_asked_for_is_refused(way: str, server: Server) -> None:
    url = WAYS[way](server)
    with pytest.raises(SwarmwireError, match="is called 'everywhere', not 'another'") as raised:
        await connect(url, broker="another")
    assert raised.value.code is ErrorCode.UNAVAILABLE


@every_way
async def test_the_last_event_of_every_topic_comes_before_what_is_new(way: str, server: Server) -> None:
    url = WAYS[way](server)
    async with connect(url) as client:
        for topic, value in (("s.a", 1), ("s.b", 2), ("s.a", 3), ("other", 4)):
            await client.publish(topic, value)
        async with client.subscribe("s.*", from_="latest", live=True) as events:
            await client.publish("s.b", 5)
            found = [await anext(events) for _ in range(4)]
        assert [each.data for each in found if not isinstance(each, Live | Gap)] == [2, 3, 5]
        assert isinstance(found[2], Live)


@every_way
async def test_modes_and_marks_arrive_as_they_were_asked_for(way: str, server: Server) -> None:
    url = WAYS[way](server)
    async with connect(url) as client:
        async with client.subscribe("c.*", conflate_ms=1) as events:
            await asyncio.gather(*(client.publish("c.a", number) for number in range(100)))
            last = await anext(events)
            while last.data != 99:
                last = await anext(events)
        async with client.subscribe("d", mode="drop_oldest", queue_size=5) as events:
            await client.publish("d", 1)
            assert await data(events, 1) == [1]
        async with client.subscribe("e") as events:
            await client.publish("e", "not for us", echo=False)
            assert (await client.publish("e", "passing", ephemeral=True)).seq is None
            await client.publish("e", "kept", headers={"h": "1"})
            found = [await anext(events) for _ in range(2)]
        assert [(each.data, each.seq is None, each.headers) for each in found] == [
            ("passing", True, {}),
            ("kept", False, {"h": "1"}),
        ]


@every_way
async def test_what_is_refused_is_refused_alone(way: str, server: Server) -> None:
    url = WAYS[way](server)
    async with connect(url) as client:
        answers = await asyncio.gather(
            client.publish("good", 1),
            client.publish("$sys.mine", 2),
            client.publish("good", 3),
            client.call("no.such.method", {"a": 1}),
            client.publish("good", 4),
            return_exceptions=True,
        )
        named = [each.code if isinstance(each, SwarmwireError) else each for each in answers]
        assert named == [
            Published(1),
            ErrorCode.PERMISSION_DENIED,
            Published(2),
            ErrorCode.METHOD_NOT_FOUND,
            Published(3),
        ]
        assert client.is_ready


@every_way
async def test_a_login_is_asked_for_and_can_be_renewed(way: str) -> None:
    async with Server(Config(port=0, name=NAME, pipe="auto", auth=Auth(token="right"))) as server:
        url = WAYS[way](server)
        with pytest.raises(SwarmwireError) as raised:
            await connect(url, token="wrong")
        assert raised.value.code is ErrorCode.AUTHENTICATION_FAILED
        async with connect(url, token="right") as client, client.subscribe("#") as events:
            await client.authenticate("right")
            with pytest.raises(SwarmwireError):
                await client.authenticate("wrong")
            await client.publish("a", 1)
            assert await data(events, 1) == [1]


def restartable(port: int = 0) -> Server:
    return Server(Config(port=port, name=NAME, pipe="auto", limits=Limits(reconnect_window_ms=1)))


@every_way
async def test_a_stop_is_told_with_its_code_and_a_new_log_by_one_gap_a_subscription(way: str) -> None:
    losses: list[int] = []
    async with restartable() as server:
        port = server.port
        client = await connect(WAYS[way](server), base_delay=0.01, max_delay=0.05)
        client.listen("disconnected", lambda code, _: losses.append(code))
        one, other = await client.subscribe("a.#", gaps=True), await client.subscribe("a.b", from_="latest", gaps=True)
        await client.publish("a.b", "old")
    async with client:
        for events in (one, other):
            assert await data(events, 1) == ["old"]
        async with restartable(port):
            assert await client.publish("a.b", "new") == Published(1)
            for events in (one, other):
                gap = await anext(events)
                assert isinstance(gap, Gap)
                assert gap.reason == "epoch"
                assert await data(events, 1) == ["new"]
        assert losses[0] == 1012
