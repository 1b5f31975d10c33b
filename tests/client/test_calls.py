from __future__ import annotations

import asyncio
import contextlib

import pytest

from swarmwire import Disconnected, ErrorCode, SwarmwireError

from .fakebroker import FakeBroker


async def test_a_call_returns_the_data_of_its_reply(broker: FakeBroker) -> None:
    client, peer = await broker.connected(request_timeout=7.0)
    calling = asyncio.ensure_future(client.call("greet", {"name": "x"}))
    message = await peer.expect("call")
    await peer.send("reply", id=message["id"], data=["hello"])

    assert await calling == ["hello"]
    assert (message["method"], message["params"], message["timeout_ms"]) == ("greet", {"name": "x"}, 7_000)


async def test_answers_find_their_calls_in_any_order(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    calls = [asyncio.ensure_future(client.call("m", number)) for number in range(3)]
    messages = [await peer.expect("call") for _ in calls]
    for message in reversed(messages):
        await peer.send("reply", id=message["id"], data=message["params"] * 10)

    assert await asyncio.gather(*calls) == [0, 10, 20]


async def test_the_error_of_a_call_is_raised_by_name(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    calling = asyncio.ensure_future(client.call("nothing"))
    message = await peer.expect("call")
    assert "params" not in message
    await peer.send("error", id=message["id"], code="METHOD_NOT_FOUND", message="Nobody.")

    with pytest.raises(SwarmwireError) as raised:
        await calling
    assert raised.value.code is ErrorCode.METHOD_NOT_FOUND


async def test_a_call_without_a_connection_fails_at_once_and_was_not_sent(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    gone = asyncio.Event()
    client.listen("disconnected", lambda code, reason: gone.set())
    peer.cut()
    await gone.wait()

    with pytest.raises(Disconnected) as raised:
        await client.call("m")
    assert raised.value.code is ErrorCode.UNAVAILABLE
    peer = await broker.accept()
    await peer.caught_up(client)
    assert peer.said() == []


async def test_a_call_cut_before_its_answer_fails_at_once_and_is_not_repeated(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    calling = asyncio.ensure_future(client.call("m"))
    await peer.expect("call")
    peer.cut()

    with pytest.raises(Disconnected) as raised:
        await calling
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN
    peer = await broker.accept()
    await peer.caught_up(client)
    assert peer.said() == []


async def test_a_call_out_of_time_is_cancelled_at_the_broker(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        await client.call("m", timeout=0.001)
    assert raised.value.code is ErrorCode.TIMEOUT
    asked = await peer.expect("call")
    assert (await peer.expect("cancel"))["id"] == asked["id"]


async def test_a_call_that_its_caller_gave_up_is_cancelled_at_the_broker(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    calling = asyncio.ensure_future(client.call("m"))
    asked = await peer.expect("call")
    calling.cancel()

    assert (await peer.expect("cancel"))["id"] == asked["id"]


async def test_a_call_with_no_time_at_all_is_not_sent(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        await client.call("m", timeout=0)
    assert raised.value.code is ErrorCode.TIMEOUT
    await peer.caught_up(client)
    assert peer.said() == []


async def test_of_a_streamed_answer_a_call_returns_the_last_reply(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    calling = asyncio.ensure_future(client.call("count"))
    message = await peer.expect("call")
    await peer.send("reply", id=message["id"], data=1, more=True)
    await peer.send("reply", id=message["id"], data=2)

    assert await calling == 2


async def test_a_stream_yields_every_reply(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def read() -> list[object]:
        return [reply async for reply in client.stream("count")]

    reading = asyncio.ensure_future(read())
    message = await peer.expect("call")
    for number in (1, 2):
        await peer.send("reply", id=message["id"], data=number, more=True)
    await peer.send("reply", id=message["id"], data=3)

    assert await reading == [1, 2, 3]
    await peer.caught_up(client)
    assert peer.said() == []


async def test_leaving_a_stream_early_cancels_the_call(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def first() -> object:
        async with contextlib.aclosing(client.stream("count")) as replies:
            return await anext(replies)

    reading = asyncio.ensure_future(first())
    message = await peer.expect("call")
    await peer.send("reply", id=message["id"], data=1, more=True)

    assert await reading == 1
    assert (await peer.expect("cancel"))["id"] == message["id"]


async def test_a_stream_read_too_slowly_is_cancelled(broker: FakeBroker) -> None:
    client, peer = await broker.connected(queue_size=2)
    replies = client.stream("count")
    reading = asyncio.ensure_future(anext(replies))
    message = await peer.expect("call")
    await peer.send("reply", id=message["id"], data=0, more=True)
    assert await reading == 0
    for number in (1, 2, 3):
        await peer.send("reply", id=message["id"], data=number, more=True)
    await peer.caught_up(client)

    assert [await anext(replies), await anext(replies)] == [1, 2]
    with pytest.raises(SwarmwireError) as raised:
        await anext(replies)
    assert raised.value.code is ErrorCode.SLOW_CONSUMER
    assert (await peer.expect("cancel"))["id"] == message["id"]


async def test_a_stream_cut_in_the_middle_fails(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    replies = client.stream("count")
    reading = asyncio.ensure_future(anext(replies))
    message = await peer.expect("call")
    await peer.send("reply", id=message["id"], data=0, more=True)
    assert await reading == 0
    peer.cut()

    with pytest.raises(Disconnected) as raised:
        await anext(replies)
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN


async def test_a_call_to_this_client_is_answered_that_it_handles_none(broker: FakeBroker) -> None:
    _client, peer = await broker.connected()
    await peer.send("call", id="b:1", method="greet", from_="anyone", deadline=5)
    answer = await peer.expect("error")

    assert (answer["id"], answer["code"]) == ("b:1", "METHOD_NOT_FOUND")


async def test_ping_tells_the_latency_and_so_does_the_state_event(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[float] = []
    client.listen("pong", told.append)
    pinging = asyncio.ensure_future(client.ping())
    message = await peer.expect("ping")
    await peer.send("pong", ts=message["ts"])

    assert await pinging == told[0]
    assert 0 <= told[0] < 5_000


async def test_the_ping_of_the_broker_is_answered(broker: FakeBroker) -> None:
    _client, peer = await broker.connected()
    await peer.send("ping", ts=42)

    assert (await peer.expect("pong"))["ts"] == 42
