"""A slow reader: nothing is queued for it, it reads on from the log, and it holds up nobody."""

from __future__ import annotations

import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Page, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.memory import MemoryEngine

from .fakes import Client, DeepEngine, EngineClass, RemoteEngine, World

SMALL = Limits(outbox_bytes=1_000, page_bytes=600, page_scan=1_000)
EVENT = 140
"""No event of these tests is longer."""


def publish(writer: Client, count: int, topic: str = "a") -> None:
    """So many events in one turn, with the place in the log as data."""
    world = writer.world
    for _ in range(count):
        writer.post({"type": "publish", "topic": topic, "data": world.engine.head + 1})
    world.clock.settle()


def seqs(client: Client) -> list[int]:
    return [event["seq"] for event in client.ever("event")]


@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
def test_a_stalled_reader_gets_every_event_once_it_reads_again(engine_class: EngineClass) -> None:
    world = World(SMALL, engine_class=engine_class)
    slow, fast, writer = world.client(), world.client(), world.client()
    for client in (slow, fast):
        client.subscribe("a")
    slow.sink.stall()
    for _ in range(30):
        publish(writer, 10)
    assert seqs(fast) == list(range(1, 301))
    assert slow.session.outbox.is_behind
    assert slow.sink.buffered() <= 1_000 + 10 * EVENT
    slow.sink.drain()
    world.clock.settle()
    assert seqs(slow) == list(range(1, 301))
    assert slow.session.outbox.live
    assert slow.ever("gap") == []
    publish(writer, 1)
    assert seqs(slow)[-1] == 301


def test_what_waits_for_a_stalled_reader_does_not_grow_with_what_is_published() -> None:
    world = World(SMALL)
    slow, writer = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    publish(writer, 50)
    held = slow.session.outbox.queued_bytes
    publish(writer, 1_000)
    outbox = slow.session.outbox
    assert outbox.queued_bytes == held
    assert (outbox.runs, outbox.notices, len(outbox.parked)) == ([], [], 1)


def test_a_reader_catches_up_in_pages_and_never_holds_more_than_one_over_its_limit() -> None:
    world = World(SMALL)
    slow, writer = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    for _ in range(100):
        publish(writer, 2)
    most = 0
    while slow.sink.buffered():
        slow.sink.drain(300)
        world.clock.settle()
        most = max(most, slow.sink.buffered())
    assert most <= 1_000 + 600 + EVENT
    assert seqs(slow) == list(range(1, 201))


@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
def test_all_catching_up_together_writes_a_bounded_page_in_a_turn(engine_class: EngineClass) -> None:
    world = World(Limits(page_bytes=600, max_replays=2), engine_class=engine_class)
    writer = world.client()
    publish(writer, 100)
    readers = [world.client() for _ in range(5)]
    for reader in readers:
        wanted = [{"pattern": "a", "sub": name, "from": "start"} for name in "xyz"]
        reader.post({"type": "subscribe", "id": 1, "subscriptions": wanted})
    world.clock.turn()
    most = 0
    while True:
        for reader in readers:
            reader.sink.writes.clear()
        if not world.clock.turn():
            break
        most = max(most, sum(size for reader in readers for size in reader.sink.writes))
    pages = 1 if engine_class is MemoryEngine else 2  # what was fetched meanwhile may follow a page that was not
    assert 600 <= most <= pages * (600 + EVENT) + 5 * EVENT
    for reader in readers:
        assert len(reader.ever("event")) == 300


def test_reading_goes_on_over_what_does_not_match_in_bounded_steps() -> None:
    world = World(Limits(page_scan=10))
    writer = world.client()
    for n in range(30):
        publish(writer, 10, f"other.{n}")
    publish(writer, 1)
    reader = world.client()
    reader.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#.a", "from": "start"}]})
    for _ in range(10):
        world.clock.turn()
    assert reader.ever("event") == []
    world.clock.settle()
    assert seqs(reader) == [301]


def test_readers_take_turns() -> None:
    world = World(Limits(page_scan=5))
    publish(world.client(), 50)
    readers = [world.client() for _ in range(3)]
    for reader in readers:
        reader.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "start"}]})
    while not readers[0].ever("live"):
        world.clock.turn()
        counts = [len(seqs(reader)) for reader in readers]
        assert max(counts) - min(counts) <= 5


def test_what_the_log_has_evicted_meanwhile_is_a_gap_without_a_name() -> None:
    world = World(Limits(outbox_bytes=1_000, log_events=10))
    slow, writer = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    for _ in range(100):
        publish(writer, 1)
    slow.sink.drain()
    world.clock.settle()
    [gap] = slow.ever("gap")
    assert "sub" not in gap
    assert gap["reason"] == "evicted"
    got = seqs(slow)
    last = int(gap["from"].partition(":")[2])
    assert got == [*range(1, last + 1), *range(91, 101)]
    assert gap["to"] == world.cursor(90)


def test_a_subscription_made_while_lagging_gets_nothing_from_before_its_cursor() -> None:
    world = World(SMALL)
    slow, writer = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    for _ in range(20):
        publish(writer, 2, "a")
        publish(writer, 2, "b")
    assert slow.session.outbox.is_behind
    slow.subscribe("b", id="late")
    publish(writer, 3, "b")
    slow.sink.drain()
    world.clock.settle()
    [ack] = [ack for ack in slow.ever("ack") if ack["id"] == "late"]
    assert ack["results"][0]["cursor"] == world.cursor(80)
    assert [event["seq"] for event in slow.ever("event") if event["topic"] == "b"] == [81, 82, 83]
    assert len([event for event in slow.ever("event") if event["topic"] == "a"]) == 40


def test_a_lagging_reader_that_unsubscribes_is_owed_nothing_more() -> None:
    world = World(SMALL)
    slow, writer = world.client(), world.client()
    slow.subscribe("a", "b")
    slow.sink.stall()
    publish(writer, 30, "a")
    publish(writer, 30, "b")
    slow.post({"type": "unsubscribe", "id": 1, "subs": ["a"]})
    slow.sink.drain()
    world.clock.settle()
    assert [event["seq"] for event in slow.ever("event") if event["topic"] == "b"] == list(range(31, 61))


def test_mode_disconnect_closes_a_reader_that_falls_behind_instead() -> None:
    world = World(SMALL)
    slow, writer = world.client(), world.client()
    slow.subscribe({"pattern": "a", "mode": "disconnect"})
    publish(writer, 3)
    slow.sink.stall()
    publish(writer, 20)
    publish(writer, 20)
    assert slow.closed == 4408
    slow.sink.drain()
    assert [message["type"] for message in slow.take()[-2:]] == ["error", "bye"]
    assert slow.ever("error")[0]["code"] == "SLOW_CONSUMER"
    assert slow.ever("bye")[0]["code"] == 4408
    assert seqs(slow) == list(range(1, len(seqs(slow)) + 1))
    slow.session.lost()
    writer.session.lost()
    assert world.is_clean()


def test_all_buffers_together_are_bounded_and_everyone_catches_up_later() -> None:
    world = World(Limits(outbox_bytes=10_000, outbox_total_bytes=8_000))
    writer, healthy = world.client(), world.client()
    stalled = [world.client() for _ in range(20)]
    for client in (healthy, *stalled):
        client.subscribe("a")
    for client in stalled:
        client.sink.stall()
    most = 0
    for _ in range(200):
        publish(writer, 1)
        most = max(most, sum(client.sink.buffered() for client in stalled))
    turn = len(stalled) * EVENT
    assert most <= 8_000 + 8_000 // 4 + 2 * turn
    assert seqs(healthy) == list(range(1, 201))
    for client in stalled:
        client.sink.drain()
    world.clock.advance(1)
    for client in stalled:
        assert seqs(client) == list(range(1, 201))
        assert client.ever("gap") == []


def test_replays_into_stalled_sockets_are_bounded_too_when_nothing_is_published() -> None:
    world = World(Limits(outbox_bytes=100_000, outbox_total_bytes=8_000, page_bytes=1_000))
    publish(world.client(), 300)
    stalled = [world.client() for _ in range(10)]
    for client in stalled:
        client.sink.stall()
        client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "start"}]})
    world.clock.advance(0.5)
    assert sum(client.sink.buffered() for client in stalled) <= 8_000 + 8_000 // 4 + 2 * (1_000 + EVENT)
    for client in stalled:
        client.sink.drain()
    world.clock.advance(1)
    assert all(len(seqs(client)) == 300 for client in stalled)


def test_a_page_fetched_while_somebody_joined_is_read_again() -> None:
    world = World(Limits(outbox_bytes=1_000), engine_class=DeepEngine)
    slow, writer = world.client(), world.client()
    slow.subscribe("a")
    slow.sink.stall()
    for _ in range(20):
        publish(writer, 1, "a")
    assert slow.session.outbox.is_behind
    slow.sink.drain()
    world.clock.turn()
    world.clock.turn()
    slow.post({"type": "subscribe", "id": 2, "subscriptions": [{"pattern": "b"}]})
    for _ in range(6):
        writer.post({"type": "publish", "topic": "b", "data": 0})
    world.clock.settle()
    assert len([event for event in slow.ever("event") if event["topic"] == "b"]) == 6


def test_what_is_evicted_from_under_a_fetched_page_is_a_gap_and_not_delivered_behind_it() -> None:
    world = World(Limits(log_events=5), engine_class=DeepEngine)
    reader, writer = world.client(), world.client()
    publish(writer, 5)
    reader.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "start"}]})
    for _ in range(4):
        world.clock.turn()
    assert seqs(reader) == []
    publish(writer, 3)
    [gap] = reader.ever("gap")
    assert gap["to"] == world.cursor(3)
    assert seqs(reader) == [4, 5, 6, 7, 8]


class _FailingOnce(DeepEngine):
    """The first page asked of its store cannot be read."""

    failures = 1

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is away")
        return await super().fetch(matcher, after, limit)


def test_a_page_that_cannot_be_read_is_asked_for_again_and_nothing_is_missed() -> None:
    world = World(engine_class=_FailingOnce)
    reader, writer = world.client(), world.client()
    publish(writer, 8)
    reader.subscribe({"pattern": "a", "from": "start"})
    assert seqs(reader) == []
    world.clock.advance(2)
    assert seqs(reader) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert reader.closed is None


class _Away(DeepEngine):
    """Its store cannot be read until `away` ends."""

    away = True
    asked = 0

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        self.asked += 1
        if self.away:
            raise OSError("the disk is away")
        return await super().fetch(matcher, after, limit)


def test_a_page_that_can_long_not_be_read_is_asked_for_less_and_less_with_one_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmwire_broker.core.reader._FETCH_RETRY_MOST", 5.0)
    world = World(engine_class=_Away)
    engine = world.engine
    assert isinstance(engine, _Away)
    reader, writer = world.client(), world.client()
    publish(writer, 8)
    reader.subscribe({"pattern": "a", "from": "start"})
    asked = []
    for seconds in (1, 2, 4, 5, 5):
        world.clock.advance(seconds)
        asked.append(engine.asked)
    assert asked == [2, 3, 4, 5, 6]
    assert [bool(record.exc_info) for record in caplog.records] == [True] + [False] * 5
    engine.away = False
    world.clock.advance(5)
    assert seqs(reader) == [1, 2, 3, 4, 5, 6, 7, 8]
