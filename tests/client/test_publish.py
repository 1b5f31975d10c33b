from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Client, Disconnected, ErrorCode, Published, QueueFull, SwarmwireError

from .fakebroker import FakeBroker, until_ready


async def test_a_publish_returns_what_the_broker_made_of_it(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    publishing = asyncio.ensure_future(
        client.publish("a.b", {"x": 1}, key="k", headers={"h": "v"}, echo=False, clear=True)
    )
    message = await peer.expect("publish")
    await peer.send("ack", id=message["id"], seq=4, duplicate=True)

    assert await publishing == Published(4, duplicate=True)
    assert {name: message[name] for name in ("topic", "data", "key", "headers", "echo", "clear")} == {
        "topic": "a.b",
        "data": {"x": 1},
        "key": "k",
        "headers": {"h": "v"},
        "echo": False,
        "clear": True,
    }


async def test_each_publish_gets_a_key_of_its_own(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    pending = [asyncio.ensure_future(client.publish("a", 1)) for _ in range(3)]
    keys = [(await peer.acknowledge_publish(1))["key"] for _ in pending]
    await asyncio.gather(*pending)

    assert len(set(keys)) == 3
    assert len({key.partition(":")[0] for key in keys}) == 1


async def test_without_ack_nothing_is_waited_for(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    assert await client.publish("a", 1, ack=False) is None
    message = await peer.expect("publish")
    assert "id" not in message
    assert "key" not in message


async def test_the_error_of_the_broker_is_raised(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    publishing = asyncio.ensure_future(client.publish("a", 1))
    message = await peer.expect("publish")
    await peer.send("error", id=message["id"], code="PERMISSION_DENIED", message="No.", field="topic")

    with pytest.raises(SwarmwireError) as raised:
        await publishing
    assert (raised.value.code, raised.value.field) == (ErrorCode.PERMISSION_DENIED, "topic")


async def test_a_code_of_a_later_version_is_an_internal_error_that_names_it(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    publishing = asyncio.ensure_future(client.publish("a", 1))
    message = await peer.expect("publish")
    await peer.send("error", id=message["id"], code="FULL_MOON", message="Not tonight.")

    with pytest.raises(SwarmwireError, match="FULL_MOON: Not tonight"):
        await publishing


@pytest.mark.parametrize("topic", ["", "a..b", "a.*", "#"])
async def test_what_is_no_topic_is_refused_at_once(broker: FakeBroker, topic: str) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        await client.publish(topic, 1)
    assert raised.value.code is ErrorCode.INVALID_TOPIC


async def test_data_that_json_cannot_hold_is_refused_at_once(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        await client.publish("a", object())
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "data")


async def test_a_message_over_the_limit_is_refused_here_and_the_connection_lives(broker: FakeBroker) -> None:
    client, peer = await broker.connected(welcome={"limits": {"max_message_bytes": 500}})
    with pytest.raises(SwarmwireError) as raised:
        await client.publish("a", "x" * 500)
    assert raised.value.code is ErrorCode.MESSAGE_TOO_LARGE
    await peer.caught_up(client)


async def lost(broker: FakeBroker, **options: Any) -> Client:
    """A client that has just lost its connection."""
    client, peer = await broker.connected(**options)
    gone = asyncio.Event()
    client.listen("disconnected", lambda code, reason: gone.set())
    peer.cut()
    await gone.wait()
    return client


async def test_publishes_wait_in_their_order_while_there_is_no_connection(broker: FakeBroker) -> None:
    client = await lost(broker)
    await client.publish("a", 0, ack=False)
    pending = [asyncio.ensure_future(client.publish("a", number)) for number in (1, 2, 3)]
    peer = await broker.accept()
    first = await peer.expect("publish")
    others = [await peer.acknowledge_publish(number) for number in (1, 2, 3)]

    assert [each["data"] for each in (first, *others)] == [0, 1, 2, 3]
    assert [(await each).seq for each in pending] == [1, 2, 3]


@pytest.mark.parametrize("room", [0, 2])
async def test_a_full_offline_queue_is_a_named_error(broker: FakeBroker, room: int) -> None:
    client = await lost(broker, offline_queue=room)
    for number in range(room):
        await client.publish("a", number, ack=False)

    with pytest.raises(QueueFull, match=f"holds {room}") as raised:
        await client.publish("a", "one too many")
    assert raised.value.code is ErrorCode.LIMIT_EXCEEDED
    with pytest.raises(QueueFull):
        await client.publish("a", "one too many", ack=False)


async def test_no_room_offline_is_no_limit_online(broker: FakeBroker) -> None:
    client, peer = await broker.connected(offline_queue=0)
    publishing = asyncio.ensure_future(client.publish("a", 1))
    await peer.acknowledge_publish(1)

    assert (await publishing).seq == 1


async def test_a_publish_that_timed_out_before_it_was_written_is_never_sent(broker: FakeBroker) -> None:
    client = await lost(broker)
    late = asyncio.ensure_future(client.publish("a", "late", timeout=0.001))
    given_up = asyncio.ensure_future(client.publish("a", "given up"))
    await asyncio.wait([late])
    given_up.cancel()
    peer = await broker.accept()
    await until_ready(client)
    wanted = asyncio.ensure_future(client.publish("a", "wanted"))

    assert (await peer.acknowledge_publish(1))["data"] == "wanted"
    assert (await wanted).seq == 1
    with pytest.raises(SwarmwireError) as raised:
        await late
    assert raised.value.code is ErrorCode.TIMEOUT


async def test_a_publish_that_timed_out_after_it_was_written_is_not_sent_again(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        await client.publish("a", 1, timeout=0.001)
    assert raised.value.code is ErrorCode.TIMEOUT
    await peer.expect("publish")
    peer.cut()
    peer = await broker.accept()
    await peer.caught_up(client)

    assert peer.said() == []


async def test_a_timeout_of_zero_fails_at_once_and_sends_nothing(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        await client.publish("a", 1, timeout=0)
    assert raised.value.code is ErrorCode.TIMEOUT
    await peer.caught_up(client)
    assert peer.said() == []


async def test_a_late_ack_of_a_publish_given_up_is_ignored(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    publishing = asyncio.ensure_future(client.publish("a", 1))
    message = await peer.expect("publish")
    publishing.cancel()
    await peer.send("ack", id=message["id"], seq=1)
    await peer.caught_up(client)

    assert errors == []


async def test_what_waits_fails_when_the_client_is_disconnected(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    written = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    await client.disconnect()

    with pytest.raises(Disconnected) as raised:
        await written
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN
