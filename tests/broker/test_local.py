"""Publishing and subscribing inside the broker's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import pytest
import pytest_asyncio

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.local import LocalEvent, LocalSubscription
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Gap, StartAt

from .transports.wire import PATIENCE, eventually

LIMITS = Limits(outbox_bytes=20_000, page_bytes=10_000, log_events=500, heartbeat_ms=400)


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[Broker]:
    broker = Broker(Config(limits=LIMITS))
    await broker.start()
    yield broker
    await broker.stop()


async def some(events: LocalSubscription, count: int) -> list[Any]:
    """The next items."""
    async with asyncio.timeout(PATIENCE):
        return [await anext(events) for _ in range(count)]


async def data(events: LocalSubscription, count: int) -> list[Any]:
    """The data of the next events."""
    return [item.data for item in await some(events, count)]


async def publish(broker: Broker, *values: Any, topic: str = "a.b") -> None:
    for value in values:
        await broker.publish(topic, value)


# ---- publishing


async def test_a_publish_returns_its_seq_and_the_event_says_everything(broker: Broker) -> None:
    async with broker.subscribe("a.*") as events:
        assert await broker.publish("a.b", {"x": [1, None]}, sender="me", headers={"h": "1"}) == 1
        (event,) = await some(events, 1)
    cursor = f"{broker.hub.engine.epoch}:1"
    assert event == LocalEvent("a.b", {"x": [1, None]}, event.ts, 1, "me", {"h": "1"}, cursor)
    assert event.ts == pytest.approx(broker.hub.clock.now_ms(), abs=5_000)


async def test_without_a_sender_it_says_none(broker: Broker) -> None:
    async with broker.subscribe("#") as events:
        await publish(broker, 1)
        assert (await some(events, 1))[0].sender is None


async def test_an_ephemeral_event_has_no_place_and_a_cleared_topic_no_latest(broker: Broker) -> None:
    async with broker.subscribe("a") as events:
        assert await broker.publish("a", 1, ephemeral=True) is None
        assert await broker.publish("a", 2, clear=True) == 1
        first, second = await some(events, 2)
    assert (first.seq, first.cursor, first.clear) == (None, None, False)
    assert (second.seq, second.clear) == (1, True)
    async with broker.subscribe("a", from_="latest") as events:
        await publish(broker, 3, topic="a")
        assert await data(events, 1) == [3]


async def test_a_key_makes_a_publish_happen_once_for_each_sender(broker: Broker) -> None:
    seqs = [await broker.publish("a", number, key="k", sender=sender) for number, sender in enumerate("xyx")]
    assert seqs == [1, 2, 1]


@pytest.mark.parametrize(
    ("topic", "options", "code"),
    [
        ("a..b", {}, ErrorCode.INVALID_TOPIC),
        ("$sys.daemon.started", {}, ErrorCode.PERMISSION_DENIED),
        ("a", {"key": ""}, ErrorCode.INVALID_MESSAGE),
        ("a", {"key": "k", "ephemeral": True}, ErrorCode.INVALID_MESSAGE),
        ("a", {"headers": {"h": "x" * 9_000}}, ErrorCode.INVALID_MESSAGE),
    ],
)
async def test_a_wrong_publish_is_refused(broker: Broker, topic: str, options: dict[str, Any], code: ErrorCode) -> None:
    with pytest.raises(SwarmwireError) as refused:
        await broker.publish(topic, 1, **options)
    assert refused.value.code is code
    assert broker.hub.engine.head == 0


async def test_hooks_see_it_and_may_refuse_it(broker: Broker) -> None:
    seen: list[Any] = []

    async def handler(offered: Offered) -> None:
        seen.append((offered.topic, offered.value(), offered.sender))
        if offered.value() == "bad":
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "No bad words.", field="data")

    broker.hub.route("a.#", handler)
    assert await broker.publish("a.b", "good", sender="me") == 1
    with pytest.raises(SwarmwireError, match="No bad words"):
        await broker.publish("a.b", "bad")
    assert await broker.publish("b", "bad") == 2
    assert seen == [("a.b", "good", "me"), ("a.b", "bad", None)]


# ---- where a subscription begins


async def test_every_start_begins_where_it_says(broker: Broker) -> None:
    await publish(broker, 1, 2, topic="a.x")
    await publish(broker, 3, topic="a.y")
    epoch, ts = broker.hub.engine.epoch, (await some(broker.subscribe("a.*", from_="start"), 1))[0].ts
    starts: list[tuple[Any, list[int]]] = [
        ("now", []),
        ("start", [1, 2, 3]),
        ("latest", [2, 3]),
        ({"cursor": f"{epoch}:1"}, [2, 3]),
        (StartAt(cursor=f"{epoch}:3"), []),
        ({"last": 2}, [2, 3]),
        ({"last": 0}, []),
        (StartAt(since_ms=ts), [1, 2, 3]),
    ]
    subscriptions = [(await broker.subscribe("a.*", from_=start), expected) for start, expected in starts]
    await publish(broker, 4)
    for events, expected in subscriptions:
        assert await data(events, len(expected) + 1) == [*expected, 4]
        await events.aclose()


async def test_an_awaited_subscription_has_begun(broker: Broker) -> None:
    await publish(broker, 1)
    events = await broker.subscribe("a.b", from_={"last": 0})
    await publish(broker, 2)
    assert await data(events, 1) == [2]
    assert (await events) is events
    await events.aclose()


async def test_the_cursor_moves_with_what_was_read_and_a_second_loop_goes_on_from_it(broker: Broker) -> None:
    await publish(broker, *range(10))
    async with broker.subscribe("a.b", from_="start") as events:
        assert await data(events, 4) == [0, 1, 2, 3]
        cursor = events.cursor
    async with broker.subscribe("a.b", from_={"cursor": cursor}) as events:
        assert await data(events, 6) == [4, 5, 6, 7, 8, 9]


async def test_a_cursor_of_another_epoch_is_a_gap_and_the_cursor_follows(broker: Broker) -> None:
    await publish(broker, 1)
    async with broker.subscribe("a.b", from_={"cursor": "0123456789abcdef:7"}, gaps=True) as events:
        gap, event = await some(events, 2)
        assert isinstance(gap, Gap)
        assert (gap.reason, gap.from_) == ("epoch", "0123456789abcdef:7")
        assert event.cursor == f"{broker.hub.engine.epoch}:1"


@pytest.mark.parametrize(
    ("pattern", "options", "field"),
    [
        ("a..b", {}, "subscriptions[0].pattern"),
        ("a", {"from_": "yesterday"}, "subscriptions[0].from"),
        ("a", {"from_": {"cursor": "x"}}, "subscriptions[0].from.cursor"),
        ("a", {"from_": {}}, "subscriptions[0].from"),
        ("a", {"from_": {"last": -1}}, "from"),
        ("a", {"mode": "some"}, "subscriptions[0].mode"),
        ("a", {"mode": "drop_oldest", "queue_size": 10**9}, "subscriptions[0].queue_size"),
    ],
)
async def test_a_wrong_subscription_is_refused_and_leaves_nothing(
    broker: Broker, pattern: str, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(SwarmwireError) as refused:
        broker.subscribe(pattern, **options)
    assert refused.value.field == field
    assert not broker.hub.sessions
    assert broker.hub.delivery.router.patterns == 0


# ---- slow loops


async def test_a_slow_loop_catches_up_from_the_log_and_what_waits_for_it_is_bounded(broker: Broker) -> None:
    async with broker.subscribe("a.b") as events:
        for number in range(400):
            await broker.publish("a.b", [number, "x" * 1_000])
            await asyncio.sleep(0)
            assert events.buffered() <= LIMITS.outbox_bytes + LIMITS.page_bytes + 2_000
        assert broker.stats.gauges["catching_up"]() == 1
        assert [number for number, _ in await data(events, 400)] == list(range(400))
        await eventually(lambda: broker.stats.gauges["catching_up"]() == 0)
        await broker.publish("a.b", "live")
        assert await data(events, 1) == ["live"]
    assert broker.stats.gaps == {}


@pytest.mark.parametrize("gaps", [False, True])
async def test_a_loop_slower_than_the_log_gets_a_gap_in_place_of_what_was_evicted(broker: Broker, gaps: bool) -> None:
    async with broker.subscribe("a.b", gaps=gaps) as events:
        for number in range(1, 1_001):
            await broker.publish("a.b", [number, "x" * 1_000])
            await asyncio.sleep(0)
        position, seen = 0, []
        while position < 1_000:
            (item,) = await some(events, 1)
            if isinstance(item, Gap):
                assert item.from_ == f"{broker.hub.engine.epoch}:{position}"
                position = int(item.to.partition(":")[2])
                seen.append(item.reason)
            else:
                assert item.seq == position + 1 or (not gaps and item.seq == 501)
                position = item.seq
    assert seen == (["evicted"] if gaps else [])


async def test_dropping_and_conflating_work_here_too(broker: Broker) -> None:
    async with (
        broker.subscribe("a.b", mode="drop_oldest", queue_size=3, gaps=True) as dropping,
        broker.subscribe("a.b", conflate_ms=0) as conflating,
    ):
        for number in range(100):
            await broker.publish("a.b", [number, "x" * 1_000])
        await broker.publish("a.b", "last")
        ticks = await some(conflating, 1)
        while ticks[-1].data != "last":
            ticks += await some(conflating, 1)
        assert len(ticks) + sum(event.skipped for event in ticks) == 101
        assert len(ticks) < 50

        (item,) = await some(dropping, 1)
        lost = 0
        while isinstance(item, Gap) or item.data != "last":
            lost += item.dropped or 0 if isinstance(item, Gap) else 0
            (item,) = await some(dropping, 1)
        assert lost == broker.stats.drops


async def test_mode_disconnect_ends_a_loop_that_falls_behind(broker: Broker) -> None:
    async with broker.subscribe("a.b", mode="disconnect") as events:
        for number in range(100):
            await broker.publish("a.b", [number, "x" * 1_000])
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            read = [event.data[0] async for event in events if isinstance(event, LocalEvent)]
        assert read == list(range(len(read)))
        assert len(read) < 100


# ---- the end


async def test_closing_ends_a_loop_at_once_and_leaves_nothing(broker: Broker) -> None:
    events = broker.subscribe("#")
    await publish(broker, *range(5))
    await data(events, 1)
    await events.aclose()
    await events.unsubscribe()
    assert [event async for event in events] == []
    assert not broker.hub.sessions
    assert not broker.hub.delivery.outboxes
    assert broker.hub.delivery.router.patterns == 0


async def test_closing_ends_a_loop_that_waits(broker: Broker) -> None:
    events = broker.subscribe("#")
    waiting = asyncio.ensure_future(anext(events, None))
    await asyncio.sleep(0)
    await events.aclose()
    async with asyncio.timeout(PATIENCE):
        assert await waiting is None


@pytest.mark.parametrize("drained", [False, True])
async def test_a_broker_that_stops_ends_every_loop_after_what_it_had(broker: Broker, drained: bool) -> None:
    events = broker.subscribe("a.b")
    await publish(broker, 1, 2)
    if drained:
        broker.drain()
    await broker.stop()
    async with asyncio.timeout(PATIENCE):
        assert [event.data async for event in events if isinstance(event, LocalEvent)] == [1, 2]


async def test_nobody_subscribes_while_the_broker_drains(broker: Broker) -> None:
    broker.drain()
    with pytest.raises(SwarmwireError) as refused:
        broker.subscribe("#")
    assert refused.value.code is ErrorCode.SHUTTING_DOWN
    assert not broker.hub.sessions


async def test_a_full_broker_says_so() -> None:
    broker = Broker(Config(limits=Limits(max_connections=1)))
    await broker.start()
    async with broker.subscribe("#"):
        with pytest.raises(SwarmwireError) as refused:
            broker.subscribe("#")
        assert (refused.value.code, refused.value.retry_after_ms) == (ErrorCode.LIMIT_EXCEEDED, 1_000)
    async with broker.subscribe("#"):
        pass
    await broker.stop()


async def test_a_loop_is_never_closed_for_its_silence(broker: Broker) -> None:
    async with broker.subscribe("quiet") as quiet, broker.subscribe("a.b") as busy:
        for number in range(100):
            await broker.publish("a.b", [number, "x" * 1_000])
            await asyncio.sleep(0)
        for _ in range(40):  # five intervals, without waiting for them
            broker.hub._on_beat()
        assert not quiet._closed
        assert [number for number, _ in await data(busy, 100)] == list(range(100))
        await broker.publish("quiet", "still here")
        assert await data(quiet, 1) == ["still here"]


class _Topics(StrEnum):
    STATUS = "agent.a1.status"
    ALL = "agent.#"
    WHO = "someone"


async def test_members_of_an_enumeration_are_text_like_any_other(broker: Broker) -> None:
    events = broker.subscribe(_Topics.ALL)
    await broker.publish(_Topics.STATUS, 1, sender=_Topics.WHO, key=_Topics.WHO)
    (event,) = await some(events, 1)
    assert (event.topic, event.sender) == ("agent.a1.status", "someone")
