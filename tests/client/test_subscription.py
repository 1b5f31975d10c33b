from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from swarmwire import Disconnected, ErrorCode, Event, Gap, SwarmwireError

from .fakebroker import FakeBroker, seqs, subscribed


async def test_an_event_carries_all_that_the_broker_said(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a.*")
    await peer.event("a.b", 7, {"x": [1]}, from_="alice", headers={"h": "1"}, clear=True)

    assert await anext(subscription) == Event("a.b", {"x": [1]}, 7, 1_000, "e1:7", "alice", {"h": "1"}, None, True)


async def test_iterating_subscribes_by_itself(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    first = asyncio.ensure_future(anext(client.subscribe("a")))
    (asked,) = await peer.acknowledge_subscribe()
    await peer.event("a", 1)

    assert asked == {"pattern": "a", "sub": "s1"}
    assert (await first).seq == 1


async def test_a_refused_subscribe_is_raised_by_await_and_by_iterating(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    refusal = {"type": "error", "code": "PERMISSION_DENIED", "message": "Not you."}
    for use in (lambda: client.subscribe("a").__aenter__(), lambda: client.subscribe("a").__anext__()):
        pending = asyncio.ensure_future(use())
        message = await peer.expect("subscribe")
        name = message["subscriptions"][0]["sub"]
        await peer.send(
            "error",
            id=message["id"],
            code="PERMISSION_DENIED",
            message="No.",
            results=[{"sub": name, "error": refusal}],
        )
        with pytest.raises(SwarmwireError, match="Not you") as raised:
            await pending
        assert raised.value.code is ErrorCode.PERMISSION_DENIED


async def test_one_refused_subscription_of_several_leaves_the_others(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    kept = await subscribed(client, peer, "a")
    lost = await subscribed(client, peer, "b")
    peer.cut()
    peer = await broker.accept()
    message = await peer.expect("subscribe")
    names = [each["sub"] for each in message["subscriptions"]]
    refusal = {"type": "error", "code": "PERMISSION_DENIED", "message": "No longer."}
    await peer.send(
        "ack", id=message["id"], results=[{"sub": names[0], "cursor": "e1:0"}, {"sub": names[1], "error": refusal}]
    )
    await peer.send("live", sub=names[0], cursor="e1:0")
    await peer.event("a", 1)

    assert (await anext(kept)).seq == 1
    with pytest.raises(SwarmwireError, match="No longer"):
        await anext(lost)


async def test_an_error_without_results_refuses_all_of_a_subscribe(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    pending = asyncio.ensure_future(client.subscribe("a").__aenter__())
    message = await peer.expect("subscribe")
    await peer.send("error", id=message["id"], code="RATE_LIMIT_EXCEEDED", message="Slow.", retry_after_ms=9)

    with pytest.raises(SwarmwireError) as raised:
        await pending
    assert raised.value.retry_after_ms == 9


async def test_a_subscription_that_was_good_is_asked_for_again_when_the_broker_is_busy(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    peer.cut()
    peer = await broker.accept()
    message = await peer.expect("subscribe")
    await peer.send("error", id=message["id"], code="RATE_LIMIT_EXCEEDED", message="Slow.", retry_after_ms=1)
    await peer.acknowledge_subscribe()
    await peer.event("a", 1, sub="s1")

    assert await seqs(subscription, 1) == [1]


async def test_an_event_without_sub_goes_to_every_live_subscription_it_matches(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    one = await subscribed(client, peer, "a.*")
    two = await subscribed(client, peer, "#")
    other = await subscribed(client, peer, "b.*")
    await peer.event("a.x", 1)
    await peer.event("b.x", 2)

    assert await seqs(one, 1) == [1]
    assert await seqs(two, 2) == [1, 2]
    assert await seqs(other, 1) == [2]


async def test_an_event_with_sub_goes_to_that_subscription_alone(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    one = await subscribed(client, peer, "a")
    two = await subscribed(client, peer, "a", conflate_ms=10)
    await peer.event("a", 1, sub="s2", skipped=3)
    await peer.event("a", 2)
    await peer.event("a", 3, sub="s2")

    assert await seqs(one, 1) == [2]
    event = await anext(two)
    assert (event.seq, event.skipped) == (1, 3)
    assert await seqs(two, 1) == [3]


async def test_events_already_received_are_not_handed_out_again(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    for seq in (1, 2, 2, 1, 3):
        await peer.event("a", seq)

    assert await seqs(subscription, 3) == [1, 2, 3]


async def test_a_replaying_subscription_joins_the_shared_position_at_its_live(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_="start")
    await peer.event("a", 1, sub="s1")
    await peer.event("a", 5)  # for others: this one is not there yet
    await peer.event("a", 2, sub="s1")
    await peer.event("a", 5, sub="s1")
    await peer.send("live", sub="s1", cursor="e1:5")
    await peer.event("a", 6)

    assert await seqs(subscription, 4) == [1, 2, 5, 6]


async def test_an_ephemeral_event_has_no_place(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", None, "now or never")
    event = await anext(subscription)

    assert event.ephemeral
    assert event.cursor is None


async def test_an_event_is_consumed_when_the_next_is_asked_for(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    assert subscription.cursor == "e1:0"
    await peer.event("a", 1)
    await peer.event("a", 2)
    await anext(subscription)
    assert subscription.cursor == "e1:0"
    await anext(subscription)
    assert subscription.cursor == "e1:1"


async def test_a_position_moves_the_cursor_of_who_waits(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 1)
    await anext(subscription)
    waiting = asyncio.ensure_future(anext(subscription))
    await peer.send("position", cursor="e1:40")
    await peer.caught_up(client)

    assert subscription.cursor == "e1:40"
    waiting.cancel()


async def test_gaps_stand_in_their_place_among_the_events(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[Gap] = []
    client.listen("gap", lambda gap, pattern: told.append(gap))
    subscription = await subscribed(client, peer, "a", gaps=True)
    await peer.event("a", 1)
    await peer.send("gap", from_="e1:1", to="e1:8", reason="evicted", dropped=2)
    await peer.event("a", 8)  # within the gap, so it was had
    await peer.event("a", 9)

    found = [await anext(subscription) for _ in range(3)]
    gap = Gap("e1:1", "e1:8", "evicted", "a", 2)
    assert [each if isinstance(each, Gap) else each.seq for each in found] == [1, gap, 9]
    assert told == [gap]


async def test_without_gaps_the_iterator_yields_events_only(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 1)
    await peer.send("gap", from_="e1:1", to="e1:8", reason="evicted")
    await peer.event("a", 9)

    assert await seqs(subscription, 2) == [1, 9]


async def test_a_gap_with_sub_concerns_that_subscription_alone(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told: list[str] = []
    client.listen("gap", lambda gap, pattern: told.append(pattern))
    await subscribed(client, peer, "a")
    kept = await subscribed(client, peer, "b", mode="drop_oldest")
    await peer.send("gap", sub="s2", from_="e1:1", to="e1:8", reason="overflow", dropped=7)
    await peer.event("b", 9, sub="s2")

    assert await seqs(kept, 1) == [9]
    assert told == ["b"]


async def test_after_an_epoch_gap_cursors_belong_to_the_new_log(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 50)
    await peer.send("gap", from_="e1:50", to="e2:0", reason="epoch")
    await peer.event("a", 1)

    assert [(await anext(subscription)).cursor for _ in range(2)] == ["e1:50", "e2:1"]


async def test_an_epoch_gap_goes_back_where_the_log_has_lost_its_end(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 50)
    await peer.send("gap", from_="e1:50", to="e1:30", reason="epoch")
    await peer.event("a", 31)

    assert await seqs(subscription, 2) == [50, 31]


async def test_a_denied_gap_ends_the_subscription(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    lost = await subscribed(client, peer, "a")
    kept = await subscribed(client, peer, "b")
    await peer.send("gap", sub="s1", from_="e1:0", to="e1:0", reason="denied")
    await peer.event("b", 1)

    assert await seqs(kept, 1) == [1]
    with pytest.raises(SwarmwireError) as raised:
        await anext(lost)
    assert raised.value.code is ErrorCode.PERMISSION_DENIED


async def test_a_snapshot_hands_out_events_older_than_what_the_table_dropped(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a.*", from_="latest")
    await peer.send("gap", sub="s1", from_="e1:0", to="e1:5", reason="evicted")
    await peer.event("a.b", 3, sub="s1")
    await peer.event("a.c", 7, sub="s1")

    assert await seqs(subscription, 2) == [3, 7]


async def test_closing_one_of_two_iterators_of_a_pattern_leaves_the_other(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    one = await subscribed(client, peer, "a")
    two = await subscribed(client, peer, "a")
    await one.unsubscribe()
    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]
    await peer.event("a", 1)

    assert [event async for event in one] == []
    assert await seqs(two, 1) == [1]


async def test_unsubscribing_ends_a_loop_that_waits_and_is_harmless_twice(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")

    async def read() -> list[Event | Gap]:
        return [event async for event in subscription]

    reading = asyncio.ensure_future(read())
    await peer.caught_up(client)
    await subscription.unsubscribe()
    await subscription.aclose()

    assert await reading == []
    await peer.expect("unsubscribe")
    await peer.caught_up(client)
    assert peer.said() == []


async def test_leaving_the_context_unsubscribes(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    entering = asyncio.ensure_future(client.subscribe("a").__aenter__())
    await peer.acknowledge_subscribe()
    subscription = await entering
    await subscription.__aexit__(None, None, None)

    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]


async def test_a_subscription_that_nobody_holds_any_more_is_ended(broker: FakeBroker) -> None:
    client, peer = await broker.connected()

    async def first() -> Any:
        async for event in client.subscribe("a"):
            return event
        return None

    reading = asyncio.ensure_future(first())
    await peer.acknowledge_subscribe()
    await peer.event("a", 1)
    await reading
    gc.collect()

    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]


async def test_a_subscribe_whose_caller_gave_up_is_taken_back(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    pending = asyncio.ensure_future(client.subscribe("a").__aenter__())
    await peer.expect("subscribe")
    pending.cancel()

    assert (await peer.expect("unsubscribe"))["subs"] == ["s1"]


async def test_an_iterator_whose_wait_was_cancelled_loses_nothing(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    waiting = asyncio.ensure_future(anext(subscription))
    await peer.caught_up(client)
    waiting.cancel()
    await peer.event("a", 1)

    assert await seqs(subscription, 1) == [1]


async def test_data_that_cannot_be_read_is_reported_and_the_loop_goes_on(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    subscription = await subscribed(client, peer, "a")
    await peer.write('{"type":"event","topic":"a","seq":1,"ts":1,"data":' + "[" * 2000 + "]" * 2000 + "}")
    await peer.event("a", 2)

    assert await seqs(subscription, 1) == [2]
    assert len(errors) == 1


async def test_iterating_an_ended_client_raises_a_named_error(broker: FakeBroker) -> None:
    client, _peer = await broker.connected()
    unused = client.subscribe("a")
    await client.disconnect()

    assert [event async for event in unused] == []
    with pytest.raises(Disconnected):
        client.subscribe("a")
