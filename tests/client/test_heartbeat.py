from __future__ import annotations

import asyncio

from .fakebroker import FakeBroker


async def test_a_broker_silent_for_two_beats_is_left_for_another_connection(broker: FakeBroker) -> None:
    client, _peer = await broker.connected(welcome={"heartbeat_ms": 40})
    lost: list[int] = []
    client.listen("disconnected", lambda code, reason: lost.append(code))
    peer = await broker.accept()
    await peer.caught_up(client)

    assert lost == [4409]
    assert client.is_ready


async def test_any_traffic_of_the_broker_counts_as_life(broker: FakeBroker) -> None:
    client, peer = await broker.connected(welcome={"heartbeat_ms": 40})
    lost: list[int] = []
    client.listen("disconnected", lambda code, reason: lost.append(code))
    end = asyncio.get_running_loop().time() + 0.3
    while asyncio.get_running_loop().time() < end:
        await peer.send("position", cursor="e1:1")
        await asyncio.sleep(0.01)  # the passing of time is what is tested

    assert lost == []


async def test_an_idle_client_shows_the_broker_that_it_lives(broker: FakeBroker) -> None:
    _client, peer = await broker.connected(welcome={"heartbeat_ms": 40})
    for _ in range(3):
        message = await peer.expect("ping")
        await peer.send("pong", ts=message["ts"])


async def test_without_a_heartbeat_nothing_is_watched(broker: FakeBroker) -> None:
    client, peer = await broker.connected(welcome={"heartbeat_ms": 0})
    await peer.caught_up(client)
    assert client.is_ready
