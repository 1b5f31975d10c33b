"""From publish() to the loop: every event once and in order, whatever is cut, and a gap only where one is due."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, Gap, Published, SwarmwireError

from .fakebroker import WELCOME, FakeBroker, Peer, seqs, subscribed


async def again(broker: FakeBroker, client: Client, peer: Peer, **changes: Any) -> Peer:
    """Cut the connection; returns the next one, welcomed, once the client has noticed."""
    lost = asyncio.Event()
    remove = client.listen("disconnected", lambda code, reason: lost.set())
    peer.cut()
    await lost.wait()
    remove()
    return await broker.accept(**changes)


async def test_a_publish_whose_ack_is_lost_again_and_again_is_always_the_same_publish(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    publishing = asyncio.ensure_future(client.publish("a", 1))
    written = [await peer.expect("publish")]
    for _ in range(3):
        peer = await again(broker, client, peer)
        written.append(await peer.expect("publish"))
    await peer.send("ack", id=written[-1]["id"], seq=5, duplicate=True)

    assert await publishing == Published(5, duplicate=True)
    assert len({each["key"] for each in written}) == 1
    assert all(each["data"] == 1 for each in written)


async def test_publishes_keep_the_order_of_their_calls_over_losses_in_the_middle_of_repeats(
    broker: FakeBroker,
) -> None:
    client, peer = await broker.connected()
    calls = [asyncio.ensure_future(client.publish("a", number)) for number in range(4)]
    assert [(await peer.expect("publish"))["data"] for _ in calls] == [0, 1, 2, 3]
    peer = await again(broker, client, peer)
    await peer.acknowledge_publish(1)
    calls.append(asyncio.ensure_future(client.publish("a", 4)))
    peer = await again(broker, client, peer)
    calls.append(asyncio.ensure_future(client.publish("a", 5)))

    acknowledged = [(await peer.acknowledge_publish(seq))["data"] for seq in (2, 3, 4, 5, 6)]
    assert acknowledged == [1, 2, 3, 4, 5]
    assert [(await each).seq for each in calls] == [1, 2, 3, 4, 5, 6]


async def test_a_publish_of_another_login_is_not_repeated(broker: FakeBroker) -> None:
    client, peer = await broker.connected(welcome={"identity": WELCOME["identity"] | {"subject": "alice"}})
    written = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    await again(broker, client, peer, identity=WELCOME["identity"] | {"subject": "bob"})

    with pytest.raises(SwarmwireError, match="another login") as raised:
        await written
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN


async def test_who_did_not_log_in_is_the_same_on_every_connection(broker: FakeBroker) -> None:
    def anonymous(client_id: str) -> dict[str, Any]:
        return {"client_id": client_id, "identity": WELCOME["identity"] | {"subject": f"anonymous:{client_id}"}}

    client, peer = await broker.connected(welcome=anonymous("aaaaaaaaaaaa"))
    written = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    peer = await again(broker, client, peer, **anonymous("bbbbbbbbbbbb"))
    await peer.acknowledge_publish(1)

    assert (await written).seq == 1


async def test_a_resume_that_is_cut_while_it_replays_goes_on_from_what_was_received(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    head = 9
    for start in (0, 2, 4, 6):
        peer = await again(broker, client, peer)
        (asked,) = await peer.acknowledge_subscribe()
        assert asked["from"] == {"cursor": f"e1:{start}"}
        for seq in (start + 1, start + 2):
            await peer.event("a", seq, sub="s1")
        await peer.caught_up(client)
    await peer.event("a", head, sub="s1")
    await peer.send("live", sub="s1", cursor=f"e1:{head}")
    await peer.event("a", head + 1)

    assert await seqs(subscription, 10) == list(range(1, 11))


async def test_a_resume_that_is_cut_before_its_answer_loses_nothing(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 1)
    await peer.caught_up(client)
    for _ in range(3):
        peer = await again(broker, client, peer)
        message = await peer.expect("subscribe")
        assert message["subscriptions"][0]["from"] == {"cursor": "e1:1"}
    await peer.send("ack", id=message["id"], results=[{"sub": "s1", "cursor": "e1:1"}])
    await peer.event("a", 2, sub="s1")

    assert await seqs(subscription, 2) == [1, 2]


async def test_ephemeral_events_are_no_place_to_resume_from(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 1)
    await peer.event("a", None)
    assert await seqs(subscription, 2) == [1, None]
    peer = await again(broker, client, peer)
    (asked,) = await peer.acknowledge_subscribe()

    assert asked["from"] == {"cursor": "e1:1"}
    assert subscription.cursor == "e1:1"


async def test_a_gap_is_told_once_though_the_connection_is_cut_behind_it(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[Gap] = []
    client.listen("gap", lambda gap, pattern: told.append(gap))
    subscription = await subscribed(client, peer, "a", gaps=True)
    await peer.send("gap", from_="e1:0", to="e1:5", reason="evicted", sub="s1")
    await peer.caught_up(client)
    peer = await again(broker, client, peer)
    (asked,) = await peer.acknowledge_subscribe()
    await peer.event("a", 6, sub="s1")

    assert asked["from"] == {"cursor": "e1:5"}
    assert await anext(subscription) == Gap("e1:0", "e1:5", "evicted", "a")
    assert await seqs(subscription, 1) == [6]
    assert told == [Gap("e1:0", "e1:5", "evicted", "a")]


async def test_a_shared_gap_is_none_of_a_subscription_that_began_behind_it(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    old = await subscribed(client, peer, "a", gaps=True)
    pending = asyncio.ensure_future(client.subscribe("a", gaps=True).__aenter__())
    await peer.acknowledge_subscribe("e1:9")
    young = await pending
    await peer.send("gap", from_="e1:2", to="e1:9", reason="evicted")
    await peer.event("a", 10)

    assert await anext(old) == Gap("e1:2", "e1:9", "evicted", "a")
    assert await seqs(old, 1) == [10]
    assert await seqs(young, 1) == [10]


async def test_of_a_shared_gap_a_subscription_is_told_what_it_has_not_received(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    pending = asyncio.ensure_future(client.subscribe("a", gaps=True).__aenter__())
    await peer.acknowledge_subscribe("e1:6")
    subscription = await pending
    await peer.send("gap", from_="e1:2", to="e1:9", reason="evicted", dropped=7)

    assert await anext(subscription) == Gap("e1:6", "e1:9", "evicted", "a")
