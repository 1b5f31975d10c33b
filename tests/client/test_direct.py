"""Events that somebody sends to this client itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Encryption, ErrorCode, Event, Key, Keyring, PlainPayload, SwarmwireError, connect
from swarmwire_broker.testing import BrokerFactory

PATIENCE = 20.0


@pytest.mark.parametrize("scheme", ["ws", "unix"])
async def test_they_reach_a_listener_without_a_subscription(
    broker_factory: BrokerFactory, tmp_path: Any, scheme: str
) -> None:
    server = await broker_factory(unix=str(tmp_path / "s.sock"))
    url = server.url if scheme == "ws" else f"unix://{tmp_path / 's.sock'}"
    async with connect(url) as client, connect(url) as other:
        got: asyncio.Queue[Event] = asyncio.Queue()

        @client.on_message
        async def take(event: Event) -> None:
            await got.put(event)

        answer = await other.call(
            "client.send", {"client_id": client.id, "topic": "hello.you", "data": {"x": 1}, "headers": {"h": "1"}}
        )
        event = await asyncio.wait_for(got.get(), PATIENCE)
        assert answer == {"sent": 1}
        assert (event.topic, event.data, event.seq, event.headers) == ("hello.you", {"x": 1}, None, {"h": "1"})
        assert other.identity is not None
        assert event.sender == other.identity.subject
        assert await other.call("client.broadcast", {"topic": "all", "data": 2, "except": [other.id]}) == {"sent": 1}
        assert (await asyncio.wait_for(got.get(), PATIENCE)).data == 2


async def test_they_are_for_no_subscription_even_one_that_matches(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.subscribe("#") as subscription:
        got = asyncio.Event()
        client.listen("message", lambda _: got.set())
        await client.call("client.send", {"client_id": client.id, "topic": "a", "data": 1})
        await asyncio.wait_for(got.wait(), PATIENCE)
        await client.publish("a", 2)
        async with asyncio.timeout(PATIENCE):
            assert (await anext(subscription)).data == 2


async def test_listeners_get_one_after_the_other_and_a_failing_one_stops_nothing(
    broker_factory: BrokerFactory,
) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        seen: list[str] = []
        done = asyncio.Event()
        errors: list[Exception] = []
        client.listen("error", errors.append)

        async def slow(event: Event) -> None:
            seen.append(f"begin {event.data}")
            await asyncio.sleep(0)
            seen.append(f"end {event.data}")
            if event.data == 0:
                raise ValueError("it failed")

        client.on_message(slow)
        client.on_message(lambda event: done.set() if event.data == 2 else None)
        for number in range(3):
            await client.call("client.send", {"client_id": client.id, "topic": "a", "data": number})
        await asyncio.wait_for(done.wait(), PATIENCE)
        assert seen == [f"{what} {number}" for number in range(3) for what in ("begin", "end")]
        assert [type(error) for error in errors] == [ValueError]


async def test_beyond_the_limit_the_newest_are_left_out_and_that_is_told_once(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, queue_size=2) as client:
        seen: list[int] = []
        may_go, all_seen = asyncio.Event(), asyncio.Event()
        errors: list[SwarmwireError] = []
        client.listen("error", errors.append)

        async def stuck(event: Event) -> None:
            await may_go.wait()
            seen.append(event.data)
            if len(seen) == 3:
                all_seen.set()

        client.on_message(stuck)
        for number in range(6):  # one is worked on, two wait
            await client.call("client.send", {"client_id": client.id, "topic": "a", "data": number})
        may_go.set()
        await asyncio.wait_for(all_seen.wait(), PATIENCE)
        assert seen == [0, 1, 2]
        assert [error.code for error in errors] == [ErrorCode.SLOW_CONSUMER]


async def test_plain_ones_are_left_out_where_sealed_data_is_expected(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    encryption = Encryption(Keyring([Key("k1", bytes(range(32)))]))
    async with connect(server.url, encryption=encryption) as client, connect(server.url) as other:
        seen: list[Event] = []
        told: asyncio.Queue[Exception] = asyncio.Queue()
        client.listen("error", told.put_nowait)
        client.on_message(seen.append)
        await other.call("client.send", {"client_id": client.id, "topic": "a", "data": 1})
        assert isinstance(await asyncio.wait_for(told.get(), PATIENCE), PlainPayload)
        assert seen == []
