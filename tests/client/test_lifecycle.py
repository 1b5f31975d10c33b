from __future__ import annotations

import asyncio

import pytest

from swarmwire import Disconnected, ErrorCode, SwarmwireError, connect

from .fakebroker import PATIENCE, FakeBroker, subscribed


async def test_async_with_connects_and_closes(broker: FakeBroker) -> None:
    connecting = connect(broker.url)
    opening = asyncio.ensure_future(connecting.__aenter__())
    peer = await broker.accept()
    client = await opening
    assert client.is_ready
    closing = asyncio.ensure_future(connecting.__aexit__(None, None, None))
    bye = await peer.expect("bye")
    await closing

    assert bye["code"] == 1000
    await peer.gone.wait()
    assert not client.is_ready
    assert client.id is None


async def test_disconnect_sends_what_publish_took_before(broker: FakeBroker) -> None:
    client, peer = await broker.connected(drain_timeout=5.0)
    publishing = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    unacknowledged = await client.publish("a", 2, ack=False)
    leaving = asyncio.ensure_future(client.disconnect())
    assert (await peer.expect("publish"))["data"] == 2
    await peer.caught_up(client)
    assert not leaving.done()
    await peer.send("ack", id=1, seq=9)
    await leaving

    assert (await publishing).seq == 9
    assert unacknowledged is None


async def test_disconnect_does_not_wait_longer_than_it_was_told(broker: FakeBroker) -> None:
    client, peer = await broker.connected(drain_timeout=0.01)
    publishing = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    await client.disconnect()

    with pytest.raises(SwarmwireError) as raised:
        await publishing
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN


async def test_disconnect_waits_for_a_connection_to_send_over(broker: FakeBroker) -> None:
    client, peer = await broker.connected(drain_timeout=5.0)
    gone = asyncio.Event()
    client.listen("disconnected", lambda code, reason: gone.set())
    peer.cut()
    await gone.wait()
    publishing = asyncio.ensure_future(client.publish("a", 1))
    await asyncio.sleep(0)
    leaving = asyncio.ensure_future(client.disconnect())
    peer = await broker.accept()
    await peer.acknowledge_publish(1)
    await leaving

    assert (await publishing).seq == 1


async def test_disconnect_is_final_and_harmless_twice(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[tuple[int, str]] = []
    client.listen("disconnected", lambda code, reason: told.append((code, reason)))
    await asyncio.gather(client.disconnect(), client.disconnect())
    await client.disconnect()
    await peer.gone.wait()

    assert told == [(1000, "The client is done.")]
    for use in (client.publish("a", 1), client.call("m"), client.ping(), client.authenticate("t"), client.start()):
        with pytest.raises(Disconnected):
            await use
    assert broker.unmet == 0


async def test_disconnect_ends_the_wait_for_the_next_attempt(broker: FakeBroker) -> None:
    client, peer = await broker.connected(base_delay=60.0, max_delay=60.0)
    waiting = asyncio.Event()
    client.listen("reconnecting", lambda attempt, delay: waiting.set())
    peer.cut()
    await waiting.wait()
    await client.disconnect()

    assert broker.unmet == 0


async def test_disconnect_ends_an_attempt_under_way(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    peer.cut()
    peer = await broker.meet()
    await client.disconnect()
    await peer.gone.wait()

    assert not client.is_ready


async def test_iterators_and_calls_end_with_the_client(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")

    async def read() -> list[object]:
        return [event async for event in subscription]

    reading = asyncio.ensure_future(read())
    calling = asyncio.ensure_future(client.call("m"))
    subscribing = asyncio.ensure_future(client.subscribe("b").__aenter__())
    await peer.expect("call")
    await client.disconnect()

    assert await reading == []
    with pytest.raises(Disconnected):
        await calling
    with pytest.raises(Disconnected):
        await subscribing


async def test_a_peer_that_does_not_close_is_not_waited_for_long(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmwire.carrier.CLOSE_TIMEOUT", 0.02)
    client, peer = await broker.connected()
    peer.deafen()
    async with asyncio.timeout(PATIENCE):
        await client.disconnect()
    peer.cut()


async def test_a_connect_that_was_given_up_leaves_nothing_behind(broker: FakeBroker) -> None:
    connecting = asyncio.ensure_future(broker.connect())
    peer = await broker.meet()
    connecting.cancel()
    await asyncio.wait([connecting])

    await peer.gone.wait()
    assert connecting.cancelled()


async def test_is_ready_only_between_a_welcome_and_the_next_loss(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    seen: list[tuple[str, bool, str | None]] = []
    for name in ("disconnected", "reconnecting", "connected"):
        client.listen(name, lambda *_, name=name: seen.append((name, client.is_ready, client.id)))
    peer.cut()
    peer = await broker.accept(client_id="cccccccccccc")
    await peer.caught_up(client)

    assert seen == [
        ("disconnected", False, None),
        ("reconnecting", False, None),
        ("connected", True, "cccccccccccc"),
    ]
