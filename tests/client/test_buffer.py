"""A full iterator never stops the reading of the socket."""

from __future__ import annotations

import asyncio

import pytest

from swarmwire import ErrorCode, Gap, SwarmwireError

from .fakebroker import PATIENCE, FakeBroker, seqs, subscribed


async def test_a_full_iterator_is_unsubscribed_and_asked_for_again_from_its_cursor(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", buffer=4)
    for seq in range(1, 8):
        await peer.event("a", seq)
    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]
    await peer.caught_up(client)
    assert peer.said() == []

    assert await seqs(subscription, 2) == [1, 2]
    (asked,) = await peer.acknowledge_subscribe()
    assert asked == {"pattern": "a", "sub": "s2", "from": {"cursor": "e1:4"}}
    for seq in range(5, 8):
        await peer.event("a", seq, sub="s2")
    await peer.send("live", sub="s2", cursor="e1:7")
    await peer.event("a", 8)
    assert await seqs(subscription, 6) == [3, 4, 5, 6, 7, 8]


async def test_what_was_on_its_way_under_the_old_name_is_dropped(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_="start", buffer=2)
    for seq in (1, 2, 3):
        await peer.event("a", seq, sub="s1")
    await peer.expect("unsubscribe")
    await peer.event("a", 4, sub="s1")
    assert await seqs(subscription, 1) == [1]
    await peer.acknowledge_subscribe()
    await peer.event("a", 5, sub="s1")
    await peer.event("a", 3, sub="s2")
    await peer.event("a", 4, sub="s2")

    assert await seqs(subscription, 3) == [2, 3, 4]


async def test_a_call_in_a_loop_over_events_does_not_wait_for_the_loop(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", buffer=1)

    async def work() -> list[object]:
        answers = []
        async for event in subscription:
            answers.append(await client.call("work", event.seq))
            if len(answers) == 3:
                break
        return answers

    working = asyncio.ensure_future(work())
    head = 30
    for seq in range(1, head + 1):
        await peer.event("a", seq)
    # From here on a real broker: it answers calls and replays what is asked for again.
    async with asyncio.timeout(PATIENCE):
        while not working.done():
            message = await peer.take_one()
            match message["type"]:
                case "call":
                    await peer.send("reply", id=message["id"], data=message["params"])
                case "subscribe":
                    (asked,) = message["subscriptions"]
                    await peer.send("ack", id=message["id"], results=[{"sub": asked["sub"], "cursor": "e1:0"}])
                    for seq in range(int(asked["from"]["cursor"][3:]) + 1, head + 1):
                        await peer.event("a", seq, sub=asked["sub"])

            if message["type"] == "call" and message["params"] == 3:
                break
    assert await working == [1, 2, 3]


async def test_other_subscriptions_go_on_while_one_is_full(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    await_full = await subscribed(client, peer, "a", buffer=1)
    other = await subscribed(client, peer, "#")
    for seq in (1, 2, 3):
        await peer.event("a", seq)
    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]

    assert await seqs(other, 3) == [1, 2, 3]
    assert await seqs(await_full, 1) == [1]


async def test_a_gap_that_a_full_iterator_cannot_take_is_told_again(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[Gap] = []
    client.listen("gap", lambda gap, pattern: told.append(gap))
    subscription = await subscribed(client, peer, "a", buffer=1, gaps=True)
    await peer.event("a", 1)
    await peer.send("gap", from_="e1:1", to="e1:5", reason="evicted")
    await peer.expect("unsubscribe")
    assert told == []
    await anext(subscription)
    (asked,) = await peer.acknowledge_subscribe()
    assert asked["from"] == {"cursor": "e1:1"}
    await peer.send("gap", sub=asked["sub"], from_="e1:1", to="e1:6", reason="evicted")

    assert await anext(subscription) == Gap("e1:1", "e1:6", "evicted", "a")


async def test_a_snapshot_cut_by_a_full_iterator_is_asked_for_again_as_a_whole(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a.*", from_="latest", buffer=2)
    for seq in (1, 2, 3):
        await peer.event(f"a.{seq}", seq, sub="s1")
    await peer.expect("unsubscribe")
    assert await seqs(subscription, 2) == [1, 2]
    (asked,) = await peer.acknowledge_subscribe()
    assert asked["from"] == "latest"
    for seq in (1, 2, 3):
        await peer.event(f"a.{seq}", seq, sub="s2")

    assert await seqs(subscription, 1) == [3]


async def test_a_paused_subscription_waits_for_its_reader_over_a_reconnect(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", buffer=2)
    for seq in (1, 2, 3):
        await peer.event("a", seq)
    await peer.expect("unsubscribe")
    peer.cut()
    peer = await broker.accept()
    await peer.caught_up(client)
    assert peer.said() == []

    assert await seqs(subscription, 1) == [1]
    (asked,) = await peer.acknowledge_subscribe()
    assert asked["from"] == {"cursor": "e1:2"}


async def test_ephemeral_events_that_find_no_room_are_owed_to_nobody(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", buffer=2)
    for number in range(5):
        await peer.event("a", None, number)
    await peer.caught_up(client)
    assert peer.said() == []

    assert [(await anext(subscription)).data for _ in range(2)] == [0, 1]


async def test_where_dropping_was_asked_for_the_oldest_go_and_one_gap_says_so(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[Gap] = []
    client.listen("gap", lambda gap, pattern: told.append(gap))
    subscription = await subscribed(client, peer, "a", mode="drop_oldest", buffer=2, gaps=True)
    for seq in range(1, 6):
        await peer.event("a", seq, sub="s1")
    await peer.caught_up(client)

    gap = await anext(subscription)
    assert gap == Gap("e1:0", "e1:3", "overflow", "a", 3)
    assert await seqs(subscription, 2) == [4, 5]
    assert told == [gap]
    assert peer.said() == []


async def test_a_buffer_without_room_is_refused(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()
    with pytest.raises(SwarmwireError) as raised:
        client.subscribe("a", buffer=0)
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "buffer")


async def test_what_waits_before_an_error_is_given_up_by_unsubscribing(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    for seq in (1, 2):
        await peer.event("a", seq)
    await peer.send("gap", sub="s1", from_="e1:2", to="e1:2", reason="denied")
    await peer.caught_up(client)
    assert await seqs(subscription, 1) == [1]
    await subscription.unsubscribe()
    assert [event.seq async for event in subscription] == []


async def test_dropping_never_hides_that_the_log_is_another(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", mode="drop_oldest", buffer=2, gaps=True)
    for seq in (1, 2, 3):
        await peer.event("a", seq, sub="s1")
    await peer.send("gap", sub="s1", from_="e1:3", to="e2:0", reason="epoch")
    for seq in (1, 2, 3):
        await peer.event("a", seq, sub="s1")
    await peer.caught_up(client)

    assert await anext(subscription) == Gap("e1:0", "e2:1", "epoch", "a")
    assert await seqs(subscription, 2) == [2, 3]
