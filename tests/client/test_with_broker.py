"""The SDK and the broker together, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, Subscription, SwarmwireError, connect
from swarmwire_broker.testing import BrokerFactory

PATIENCE = 20.0


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    assert session is not None
    session._connection.abort()


async def numbers(subscription: Subscription[Any], count: int) -> list[int]:
    async with asyncio.timeout(PATIENCE):
        return [(await anext(subscription)).data for _ in range(count)]


async def test_what_is_published_arrives_in_order(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.subscribe("n.*") as subscription:
        published = [await client.publish(f"n.{number % 3}", number) for number in range(20)]

        assert await numbers(subscription, 20) == list(range(20))
        assert [each.seq for each in published] == list(range(1, 21))


@pytest.mark.parametrize("start", ["start", {"last": 100}, {"since_ms": 0}])
async def test_the_past_is_replayed_and_what_is_new_follows(broker_factory: BrokerFactory, start: Any) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        for number in range(5):
            await client.publish("n", number)
        async with client.subscribe("n", from_=start) as subscription:
            await client.publish("n", 5)
            assert await numbers(subscription, 6) == list(range(6))


async def test_latest_is_the_last_of_every_topic(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        for number in range(6):
            await client.publish(f"n.{number % 2}", number)
        async with client.subscribe("n.*", from_="latest") as subscription:
            await client.publish("n.0", 6)
            assert await numbers(subscription, 3) == [4, 5, 6]


async def test_cut_connections_lose_and_double_nothing(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    count = 300

    async def publish(client: Client) -> None:
        for number in range(count):
            await client.publish("n", number)
            if number % 50 == 25:
                cut(client)

    async with (
        connect(server.url, base_delay=0.0) as writer,
        connect(server.url, base_delay=0.0) as reader,
        reader.subscribe("n") as subscription,
    ):
        publishing = asyncio.ensure_future(publish(writer))
        found: list[int] = []
        while len(found) < count:
            found += await numbers(subscription, 1)
            if len(found) % 70 == 35:
                cut(reader)
        await publishing
        assert found == list(range(count))


async def test_a_slow_reader_with_a_small_buffer_gets_everything(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    count = 500
    async with connect(server.url) as client, client.subscribe("n", buffer=8) as subscription:
        await asyncio.gather(*(client.publish("n", number) for number in range(count)))
        found: list[int] = []
        async for event in subscription:
            found.append(event.data)
            if len(found) % 25 == 0:
                await client.ping()
            if len(found) == count:
                break
        assert sorted(found) == list(range(count))
        assert len(set(found)) == count


async def test_an_answer_of_the_broker_is_a_named_error(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        with pytest.raises(SwarmwireError) as raised:
            await client.call("no.such.method")
        assert raised.value.code is ErrorCode.METHOD_NOT_FOUND
        with pytest.raises(SwarmwireError) as raised:
            await client.publish("$sys.mine", 1)
        assert raised.value.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.INVALID_TOPIC)


async def test_without_echo_ones_own_events_stay_away(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client, client.subscribe("n") as subscription:
        await client.publish("n", 1, echo=False)
        await client.publish("n", 2)
        assert await numbers(subscription, 1) == [2]


async def test_ephemeral_events_arrive_without_a_place(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url) as client,
        client.subscribe("n") as plain,
        client.subscribe("#", conflate_ms=1) as conflating,
    ):
        assert (await client.publish("n", "hi", ephemeral=True)).seq is None
        for subscription in (plain, conflating):
            async with asyncio.timeout(PATIENCE):
                assert (await anext(subscription)).ephemeral


async def test_a_stopped_broker_is_waited_for_and_its_new_log_is_a_gap(broker_factory: BrokerFactory) -> None:
    first = await broker_factory()
    port = first.port
    async with connect(first.url, base_delay=0.01, max_delay=0.05) as client:
        async with client.subscribe("n", gaps=True) as subscription:
            await client.publish("n", "old")
            async with asyncio.timeout(PATIENCE):
                assert (await anext(subscription)).data == "old"  # type: ignore[union-attr]
            lost = asyncio.Event()
            client.listen("disconnected", lambda code, reason: lost.set())
            cut(client)
            await first.stop()
            await lost.wait()
            publishing = asyncio.ensure_future(client.publish("n", "new"))
            await broker_factory(port=port)
            async with asyncio.timeout(PATIENCE):
                await publishing
                gap = await anext(subscription)
                event = await anext(subscription)
        assert getattr(gap, "reason", None) == "epoch"
        assert getattr(event, "data", None) == "new"
