"""The mark where the past is complete."""

from __future__ import annotations

import asyncio

import pytest

from swarmwire import Event, Live

from .fakebroker import PATIENCE, FakeBroker, subscribed


async def test_behind_a_snapshot_stands_one_mark(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a.*", from_="latest", live=True)
    await peer.event("a.x", 3, sub="s1")
    await peer.send("live", sub="s1", cursor="e1:7")
    await peer.event("a.y", 8)

    items = [await anext(subscription) for _ in range(3)]
    assert [item.seq if isinstance(item, Event) else item for item in items] == [3, Live("e1:7", "a.*"), 8]


async def test_an_empty_past_is_complete_at_once(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    snapshot = await subscribed(client, peer, "a", from_="latest", live=True)
    await peer.send("live", sub="s1", cursor="e1:4")
    now = await subscribed(client, peer, "b", live=True)

    assert await anext(snapshot) == Live("e1:4", "a")
    assert await anext(now) == Live("e1:0", "b")


async def test_the_mark_comes_once_over_reconnects(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_="start", live=True)
    await peer.event("a", 1, sub="s1")
    await peer.caught_up(client)
    for seq in (2, 3):
        peer.cut()
        peer = await broker.accept()
        await peer.acknowledge_subscribe()
        await peer.event("a", seq, sub="s1")
        await peer.send("live", sub="s1", cursor=f"e1:{seq}")

    items = [await anext(subscription) for _ in range(4)]
    assert [getattr(item, "seq", "live") for item in items] == [1, 2, "live", 3]


async def test_the_mark_takes_no_room_and_is_not_dropped(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", mode="drop_oldest", buffer=1, live=True, from_="start")
    await peer.event("a", 1, sub="s1")
    await peer.send("live", sub="s1", cursor="e1:1")
    for seq in (2, 3):
        await peer.event("a", seq, sub="s1")
    await peer.caught_up(client)

    items = [await anext(subscription) for _ in range(2)]
    assert [getattr(item, "seq", "live") for item in items] == ["live", 3]


async def test_without_asking_for_it_no_mark_is_seen(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_="latest")
    await peer.send("live", sub="s1", cursor="e1:4")
    await peer.event("a", 5)

    async with asyncio.timeout(PATIENCE):
        assert (await anext(subscription)).seq == 5


async def test_a_handler_takes_events_only(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(TypeError, match="events only"):
        client.on("a", print, live=True)
