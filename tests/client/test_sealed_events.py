"""Sealed events through the broker: two clients with keys, one without, and somebody who plays tricks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from swarmwire import (
    Client,
    Encryption,
    ErrorCode,
    Event,
    Keyring,
    PlainPayload,
    ReplayedPayload,
    SealedPayloadError,
    Subscription,
    SwarmwireError,
    TamperedPayload,
    UnknownKey,
    connect,
    connect_sync,
)
from swarmwire_broker.testing import BrokerFactory

from .fakebroker import FakeBroker, until_ready

PATIENCE = 20.0
RING = Keyring.of(bytes(range(32)), "k1")


async def data_of(subscription: Subscription[Any], count: int) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        return [(await anext(subscription)).data for _ in range(count)]


def errors_of(client: Client) -> list[type[Any]]:
    found: list[type[Any]] = []
    client.listen("error", lambda error: found.append(type(error)))
    return found


async def test_who_has_the_key_reads_and_the_broker_does_not(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url, encryption=Encryption(RING)) as writer,
        connect(server.url, encryption=Encryption(RING)) as reader,
        connect(server.url) as stranger,
        reader.subscribe("a.*") as events,
        stranger.subscribe("#") as what_the_broker_has,
    ):
        await writer.publish("a.b", {"secret": "rosebud"}, headers={"kind": "word"}, key="mine")
        async with asyncio.timeout(PATIENCE):
            event = await anext(events)
            stored = await anext(what_the_broker_has)
        assert (event.data, event.headers, event.seq) == ({"secret": "rosebud"}, {"kind": "word"}, 1)
        assert "rosebud" not in json.dumps(stored.data)
        assert stored.data["sealed"]["k"] == "mine"
        assert stored.headers == {"kind": "word"}


async def test_bad_events_are_left_out_by_name_and_the_loop_goes_on(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url, encryption=Encryption(RING)) as writer,
        connect(server.url, encryption=Encryption(Keyring.generate("k1"))) as other,
        connect(server.url, encryption=Encryption(RING)) as reader,
        connect(server.url) as trickster,
        trickster.subscribe("a") as overheard,
        reader.subscribe("#") as events,
    ):
        errors = errors_of(reader)
        await writer.publish("a", 1)
        async with asyncio.timeout(PATIENCE):
            copy = (await anext(overheard)).data
        await trickster.publish("a", copy)  # the same topic
        await trickster.publish("b", copy)  # another one
        await trickster.publish("a", {"sealed": {**copy["sealed"], "t": copy["sealed"]["t"] + 1}})
        await trickster.publish("a", 1)
        await other.publish("a", 1)
        await trickster.publish("a", copy, ephemeral=True)
        await writer.publish("a", 2)
        assert await data_of(events, 2) == [1, 2]
        expected = [ReplayedPayload, TamperedPayload, TamperedPayload, PlainPayload, UnknownKey, ReplayedPayload]
        assert errors == expected


async def test_a_strict_client_raises_in_the_loop_and_can_go_on(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url, encryption=Encryption(RING, strict=True)) as client,
        connect(server.url) as stranger,
        client.subscribe("a") as events,
    ):
        await stranger.publish("a", "plain")
        await client.publish("a", "sealed")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(PlainPayload) as caught:
                await anext(events)
        assert caught.value.cursor is not None
        assert caught.value.cursor.endswith(":1")
        assert await data_of(events, 1) == ["sealed"]


async def test_a_strict_handler_ends_at_the_first_event_it_cannot_trust(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with (
        connect(server.url, encryption=Encryption(RING, strict=True)) as client,
        connect(server.url) as stranger,
    ):
        errors, handled = errors_of(client), list[Any]()
        registration = client.on("a", lambda event: handled.append(event.data))
        await registration
        await client.publish("a", 1)
        await stranger.publish("a", "plain")
        await client.publish("a", 2)
        async with asyncio.timeout(PATIENCE):
            await registration.task
        assert (handled, errors) == ([1], [PlainPayload])


@pytest.mark.parametrize("options", [{"from_": "latest"}, {"from_": "start"}, {"from_": "start", "conflate_ms": 1}])
async def test_the_past_is_read_again_and_again(broker_factory: BrokerFactory, options: dict[str, Any]) -> None:
    server = await broker_factory()
    async with connect(server.url, encryption=Encryption(RING)) as client:
        errors = errors_of(client)
        for number in range(5):
            await client.publish(f"n.{number}", number)
        for _ in range(3):
            async with client.subscribe("n.*", **options) as events:
                assert await data_of(events, 5) == list(range(5))
        assert errors == []


async def test_cut_connections_repeats_and_resumes_are_no_replays(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    count = 120
    async with (
        connect(server.url, base_delay=0.0, encryption=Encryption(RING)) as writer,
        connect(server.url, base_delay=0.0, encryption=Encryption(RING)) as reader,
        reader.subscribe("n", buffer=8) as events,
    ):
        errors, found = errors_of(reader), list[Any]()

        async def publish() -> None:
            for start in range(0, count, 20):
                burst = [asyncio.ensure_future(writer.publish("n", start + each)) for each in range(20)]
                await asyncio.sleep(0)
                cut(writer)
                await asyncio.gather(*burst)

        publishing = asyncio.ensure_future(publish())
        while len(found) < count:
            found += await data_of(events, 1)
            if len(found) % 30 == 15:
                cut(reader)
        await publishing
        assert (found, errors) == (list(range(count)), [])


async def test_a_repeat_has_the_bytes_of_the_first(broker: FakeBroker) -> None:
    client, peer = await broker.connected(encryption=Encryption(RING))
    publishing = asyncio.ensure_future(client.publish("a", "text"))
    first = await peer.expect("publish")
    peer.cut()
    again = await broker.accept()
    assert await again.acknowledge_publish(1) == first
    await publishing


async def test_publishes_of_each_kind_are_sealed(broker: FakeBroker) -> None:
    client, peer = await broker.connected(encryption=Encryption(RING))
    await client.publish("a", "text", ack=False)
    ephemeral = asyncio.ensure_future(client.publish("a", "text", ephemeral=True))
    cleared = asyncio.ensure_future(client.publish("a", None, clear=True))
    seen = [await peer.expect("publish") for _ in range(3)]
    assert [set(each["data"]) for each in seen] == [{"sealed"}] * 3
    assert ["k" in each["data"]["sealed"] for each in seen] == [False, False, True]
    for pending in (ephemeral, cleared):
        pending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pending


async def test_what_waited_without_a_connection_is_read(broker_factory: BrokerFactory, broker: FakeBroker) -> None:
    client, peer = await broker.connected(encryption=Encryption(RING))
    peer.cut()
    waiting = asyncio.ensure_future(client.publish("a", "text"))
    again = await broker.accept()
    await until_ready(client)
    message = await again.acknowledge_publish(1)
    await waiting

    server = await broker_factory()
    async with (
        connect(server.url) as carrier,
        connect(server.url, encryption=Encryption(RING)) as reader,
        reader.subscribe("a") as events,
    ):
        await carrier.publish("a", message["data"], key=message["key"])
        assert await data_of(events, 1) == ["text"]


async def test_a_publish_by_hand_with_the_same_key_is_a_duplicate_and_no_replay(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, encryption=Encryption(RING)) as client, client.subscribe("a") as events:
        errors = errors_of(client)
        first = await client.publish("a", 1, key="once")
        second = await client.publish("a", 1, key="once")
        await client.publish("a", 2)
        assert second.duplicate
        assert second.seq == first.seq
        assert await data_of(events, 2) == [1, 2]
        assert errors == []


async def test_the_keys_are_rotated_while_everyone_is_connected(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    old, new = RING, RING.rotated("k2")
    ours, theirs = Encryption(old), Encryption(old)
    async with (
        connect(server.url, encryption=ours) as writer,
        connect(server.url, encryption=theirs) as reader,
        reader.subscribe("a") as events,
    ):
        await writer.publish("a", "by the old key")
        theirs.use(new)
        ours.use(new)
        await writer.publish("a", "by the new key")
        assert await data_of(events, 2) == ["by the old key", "by the new key"]


async def test_a_key_that_may_seal_no_more_fails_the_publish(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, encryption=Encryption(Keyring.generate(), seals_per_key=1)) as client:
        await client.publish("a", 1)
        with pytest.raises(SwarmwireError, match="rotate") as caught:
            await client.publish("a", 2)
        assert caught.value.code is ErrorCode.LIMIT_EXCEEDED


async def test_the_blocking_twin_seals_and_opens_too(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()

    def both() -> tuple[Any, Any]:
        with connect_sync(server.url, encryption=Encryption(RING)) as client:
            events = client.subscribe("a", timeout=PATIENCE)
            client.publish("a", "text")
            with connect_sync(server.url) as stranger:
                past = stranger.subscribe("a", from_="start", timeout=PATIENCE)
                return next(events).data, next(past).data

    opened, stored = await asyncio.to_thread(both)
    assert opened == "text"
    assert set(stored) == {"sealed"}


def test_every_error_of_a_payload_is_one_kind() -> None:
    for kind in (PlainPayload, ReplayedPayload, TamperedPayload, UnknownKey):
        assert issubclass(kind, SealedPayloadError)
        error = kind("A sentence.", topic="a")
        assert (error.topic, error.cursor, error.field) == ("a", None, "data")
    assert Event("a", 1, None, 0).ephemeral


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    if session is not None:
        session._connection.abort()
