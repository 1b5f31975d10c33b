"""After a loss: hello, every subscription at its own place, then publishes with their keys."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from swarmwire import Client, Disconnected, ErrorCode, SwarmwireError, connect

from .fakebroker import WELCOME, FakeBroker, seqs, subscribed, until_ready


async def test_every_subscription_is_asked_for_again_at_its_own_place_in_one_message(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    one = await subscribed(client, peer, "a")
    two = await subscribed(client, peer, "b")
    own = await subscribed(client, peer, "c", conflate_ms=10)
    await peer.event("a", 3)
    await peer.send("position", cursor="e1:4")
    await peer.event("b", 5)
    await peer.event("c", 7, sub="s3")
    await seqs(two, 1)
    await seqs(own, 1)
    peer.cut()
    peer = await broker.accept()
    asked = await peer.acknowledge_subscribe()

    places = {each["sub"]: each["from"] for each in asked}
    assert places == {"s1": {"cursor": "e1:4"}, "s2": {"cursor": "e1:5"}, "s3": {"cursor": "e1:7"}}
    assert asked[2]["mode"] == {"conflate_ms": 10}
    assert await seqs(one, 1) == [3]


async def test_the_second_and_the_third_reconnect_are_like_the_first(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    instances = {peer.hello["client"]["instance"]}
    for seq in (1, 2, 3):
        peer.cut()
        peer = await broker.accept()
        instances.add(peer.hello["client"]["instance"])
        (asked,) = await peer.acknowledge_subscribe()
        assert asked["from"] == {"cursor": f"e1:{2 * seq - 2}"}
        await peer.event("a", 2 * seq - 1, sub="s1")
        await peer.send("live", sub="s1", cursor=f"e1:{2 * seq - 1}")
        await peer.event("a", 2 * seq)
        assert await seqs(subscription, 2) == [2 * seq - 1, 2 * seq]
    assert len(instances) == 1
    assert len(instances.pop()) == 32


async def test_events_before_the_live_of_a_resumed_subscription_are_not_taken_twice(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    peer.cut()
    peer = await broker.accept()
    await peer.acknowledge_subscribe()
    await peer.event("a", 2)  # of the shared position, for another subscription
    await peer.event("a", 1, sub="s1")
    await peer.event("a", 2, sub="s1")
    await peer.send("live", sub="s1", cursor="e1:2")
    await peer.event("a", 2)
    await peer.event("a", 3)

    assert await seqs(subscription, 3) == [1, 2, 3]


@pytest.mark.parametrize("start", ["now", "latest", {"last": 5}, {"since_ms": 17}, {"cursor": "e1:9"}])
async def test_a_subscribe_cut_before_its_answer_is_asked_again_as_it_was(broker: FakeBroker, start: Any) -> None:
    client, peer = await broker.connected()
    pending = asyncio.ensure_future(client.subscribe("a", from_=start).__aenter__())
    first = await peer.expect("subscribe")
    peer.cut()
    peer = await broker.accept()
    again = await peer.acknowledge_subscribe()

    assert again == first["subscriptions"]
    assert (await pending).pattern == "a"


@pytest.mark.parametrize("start", ["start", {"last": 5}, {"since_ms": 17}])
async def test_a_replay_cut_before_its_first_event_goes_on_from_where_it_was_acknowledged(
    broker: FakeBroker, start: Any
) -> None:
    client, peer = await broker.connected()
    pending = asyncio.ensure_future(client.subscribe("a", from_=start).__aenter__())
    await peer.acknowledge_subscribe("e1:95")
    subscription = await pending
    peer.cut()
    peer = await broker.accept()
    (asked,) = await peer.acknowledge_subscribe()

    assert asked["from"] == {"cursor": "e1:95"}  # "the last 5" are others by now
    assert subscription.cursor == "e1:95"


async def test_a_snapshot_cut_before_its_first_event_is_asked_for_again_as_a_whole(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_="latest")
    peer.cut()
    peer = await broker.accept()
    (asked,) = await peer.acknowledge_subscribe()

    assert asked["from"] == "latest"
    assert subscription.cursor is None


async def test_a_replay_cut_after_an_event_goes_on_from_there(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_={"last": 5})
    await peer.event("a", 8, sub="s1")
    await seqs(subscription, 1)
    peer.cut()
    peer = await broker.accept()
    (asked,) = await peer.acknowledge_subscribe()

    assert asked["from"] == {"cursor": "e1:8"}


async def test_a_snapshot_that_was_complete_is_not_asked_for_again(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a", from_="latest")
    await peer.send("live", sub="s1", cursor="e1:30")
    await peer.caught_up(client)
    peer.cut()
    peer = await broker.accept()
    (asked,) = await peer.acknowledge_subscribe()

    assert asked["from"] == {"cursor": "e1:30"}
    assert subscription.pattern == "a"


async def test_what_is_over_the_limit_of_a_message_is_asked_for_in_several(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    held = [await subscribed(client, peer, "a" * 100) for _ in range(6)]
    resumed = asyncio.Event()
    client.listen("resumed", resumed.set)
    peer.cut()
    peer = await broker.accept(limits={"max_message_bytes": 500})
    counts = [len(await peer.acknowledge_subscribe()), len(await peer.acknowledge_subscribe())]
    assert not resumed.is_set()
    counts.append(len(await peer.acknowledge_subscribe()))
    await resumed.wait()

    assert sum(counts) == len(held)
    assert max(counts) == 2


async def test_unacknowledged_publishes_are_sent_again_in_order_before_newer_ones(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "x")
    before = [asyncio.ensure_future(client.publish("a", number)) for number in (1, 2)]
    written = [await peer.expect("publish") for _ in before]
    lost = asyncio.Event()
    client.listen("disconnected", lambda code, reason: lost.set())
    peer.cut()
    await lost.wait()
    after = asyncio.ensure_future(client.publish("a", 3))
    peer = await broker.accept()
    await peer.acknowledge_subscribe()
    again = [await peer.acknowledge_publish(seq) for seq in (1, 2, 3)]

    assert [each["data"] for each in again] == [1, 2, 3]
    assert [each["key"] for each in again[:2]] == [each["key"] for each in written]
    assert [(await each).seq for each in (*before, after)] == [1, 2, 3]
    await subscription.unsubscribe()


async def test_a_publish_written_before_an_epoch_change_fails_and_one_never_written_is_sent(
    broker: FakeBroker,
) -> None:
    client, peer = await broker.connected()
    written = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    lost = asyncio.Event()
    client.listen("disconnected", lambda code, reason: lost.set())
    peer.cut()
    await lost.wait()
    waiting = asyncio.ensure_future(client.publish("a", 2))
    peer = await broker.accept(cursor="e2:0")
    only = await peer.acknowledge_publish(1)

    assert only["data"] == 2
    assert (await waiting).seq == 1
    with pytest.raises(SwarmwireError) as raised:
        await written
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN


async def test_a_publish_that_the_broker_may_have_forgotten_fails(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    written = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    peer.cut()
    peer = await broker.accept(limits={"dedupe_ms": 0})

    with pytest.raises(SwarmwireError) as raised:
        await written
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN
    await peer.caught_up(client)
    assert peer.said() == []


async def test_an_ephemeral_publish_is_never_sent_twice(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    written = asyncio.ensure_future(client.publish("a", 1, ephemeral=True))
    assert "key" not in await peer.expect("publish")
    peer.cut()
    await broker.accept()

    with pytest.raises(SwarmwireError) as raised:
        await written
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN


async def states(client: Client) -> list[tuple[Any, ...]]:
    told: list[tuple[Any, ...]] = []
    for name in ("connected", "disconnected", "reconnecting", "resumed", "error"):
        client.listen(name, lambda *arguments, name=name: told.append((name, *arguments)))
    return told


async def test_the_states_of_a_reconnect_are_told_in_order(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    told = await states(client)
    await peer.close(1012, "Restarting.", reconnect_after_ms=0)
    peer = await broker.accept(client_id="bbbbbbbbbbbb")
    await peer.caught_up(client)

    assert told == [
        ("disconnected", 1012, "Restarting."),
        ("reconnecting", 1, 0.0),
        ("connected", "bbbbbbbbbbbb"),
        ("resumed",),
    ]
    assert client.id == "bbbbbbbbbbbb"


async def test_resumed_comes_after_the_subscriptions_were_acknowledged(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    held = await subscribed(client, peer, "a")
    told = await states(client)
    peer.cut()
    peer = await broker.accept()
    message = await peer.expect("subscribe")
    await peer.caught_up(client)
    assert ("resumed",) not in told
    await peer.send("ack", id=message["id"], results=[{"sub": "s1", "cursor": "e1:0"}])
    await peer.caught_up(client)

    assert held.cursor == "e1:0"
    assert told[-1] == ("resumed",)


async def test_attempts_count_from_one_after_each_success(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    attempts: list[int] = []
    client.listen("reconnecting", lambda attempt, delay: attempts.append(attempt))
    peer.cut()
    (await broker.meet()).cut()
    (await broker.meet()).cut()
    peer = await broker.accept()
    await until_ready(client)
    peer.cut()
    await broker.accept()
    await until_ready(client)

    assert attempts == [1, 2, 3, 1]


async def test_the_wait_that_the_broker_asks_for_is_obeyed(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    waits: list[float] = []
    heard = asyncio.Event()
    client.listen("reconnecting", lambda attempt, delay: waits.append(delay))
    client.listen("reconnecting", lambda attempt, delay: heard.set())
    await peer.close(1012, "", reconnect_after_ms=4_000)
    await heard.wait()

    assert waits == [4.0]


async def test_giving_up_is_reported_once_and_ends_everything(broker: FakeBroker) -> None:
    client, peer = await broker.connected(max_attempts=2)
    subscription = await subscribed(client, peer, "a")
    publishing = asyncio.ensure_future(client.publish("a", 1))
    await peer.expect("publish")
    told = await states(client)
    peer.cut()
    (await broker.meet()).cut()
    (await broker.meet()).cut()

    with pytest.raises(Disconnected, match="Gave up after 2 attempts"):
        await anext(subscription)
    with pytest.raises(SwarmwireError) as raised:
        await publishing
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN
    assert [name for name, *_ in told] == ["disconnected", "reconnecting", "reconnecting", "error"]
    with pytest.raises(Disconnected):
        await client.publish("a", 2)


async def test_no_attempts_at_all_means_none(broker: FakeBroker) -> None:
    client, peer = await broker.connected(max_attempts=0)
    subscription = await subscribed(client, peer, "a")
    peer.cut()

    with pytest.raises(Disconnected):
        await anext(subscription)
    assert broker.unmet == 0


async def test_without_reconnect_a_loss_is_final(broker: FakeBroker) -> None:
    client, peer = await broker.connected(reconnect=False)
    subscription = await subscribed(client, peer, "a")
    await peer.event("a", 1)
    await peer.close(1012, "Restarting.")

    assert await seqs(subscription, 1) == [1]  # what came before is still handed out
    with pytest.raises(Disconnected, match="Restarting") as raised:
        await anext(subscription)
    assert raised.value.code is ErrorCode.SHUTTING_DOWN


@pytest.mark.parametrize("code", [1000, 4401, 4403, 4406])
async def test_a_close_that_is_meant_to_last_is_final(broker: FakeBroker, code: int) -> None:
    client, peer = await broker.connected()
    subscription = await subscribed(client, peer, "a")
    await peer.close(code, "Enough.")

    with pytest.raises(SwarmwireError, match="Enough"):
        await anext(subscription)
    assert broker.unmet == 0


async def test_a_normal_close_without_bye_is_a_crash(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    await peer.close_without_bye(1000)
    await broker.accept()
    await until_ready(client)

    assert client.is_ready


async def test_the_first_connection_is_not_retried_unless_asked(broker: FakeBroker) -> None:
    connecting = asyncio.ensure_future(broker.connect())
    (await broker.meet()).cut()

    with pytest.raises(Disconnected):
        await connecting
    assert broker.unmet == 0


async def test_the_first_connection_is_retried_where_asked(broker: FakeBroker) -> None:
    connecting = asyncio.ensure_future(broker.connect(retry_first=True))
    (await broker.meet()).cut()
    await broker.accept()

    assert (await connecting).is_ready


async def test_nobody_listening_is_a_named_error() -> None:
    with pytest.raises(SwarmwireError, match=r"Nobody answers at 127\.0\.0\.1:1") as raised:
        await connect("ws://127.0.0.1:1/ws")
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_a_broker_that_says_nothing_is_given_up_in_time(broker: FakeBroker) -> None:
    with pytest.raises(SwarmwireError, match=r"No welcome came .* within 0.05 s"):
        await broker.connect(connect_timeout=0.05)


@pytest.mark.parametrize("url", ["gopher://x", "wsx://x/ws", "nonsense"])
async def test_an_unknown_scheme_is_an_error_that_names_those_known(url: str) -> None:
    with pytest.raises(SwarmwireError, match="ws://, wss://, unix://, pipe://, http:// or https://") as raised:
        await connect(url)
    assert raised.value.field == "url"


async def test_what_is_no_broker_is_a_named_error(broker: FakeBroker) -> None:
    connecting = asyncio.ensure_future(broker.connect())
    peer = await broker.meet()
    await peer.write("hello yourself")

    with pytest.raises(SwarmwireError, match="no Swarmwire broker"):
        await connecting


async def test_a_welcome_of_another_version_is_refused(broker: FakeBroker) -> None:
    connecting = asyncio.ensure_future(broker.connect())
    await broker.accept(version="9")

    with pytest.raises(SwarmwireError) as raised:
        await connecting
    assert raised.value.code is ErrorCode.UNSUPPORTED_VERSION


async def test_messages_right_behind_the_welcome_are_taken(broker: FakeBroker) -> None:
    client, peer = await broker.connected()
    errors: list[Exception] = []
    client.listen("error", errors.append)
    peer.cut()
    peer = await broker.meet()
    welcome = json.dumps(WELCOME)
    await peer.write_together(welcome, '{"type":"error","code":"INTERNAL_ERROR","message":"Right behind."}')
    await peer.caught_up(client)

    assert [str(error) for error in errors] == ["INTERNAL_ERROR: Right behind."]
