"""An engine whose log is elsewhere: places beyond the follower, what it misses, a log made anew."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Draft
from swarmwire_protocol.codec import event_head, event_origin

from .fakes import Message, RemoteEngine, World


def remote(limits: Limits | None = None) -> tuple[World, RemoteEngine]:
    world = World(limits, engine_class=RemoteEngine)
    assert isinstance(world.engine, RemoteEngine)
    return world, world.engine


def elsewhere(engine: RemoteEngine, count: int, topic: str = "a") -> None:
    """Another broker publishes; the data is the place."""
    for _ in range(count):
        data = b"%d" % (engine.log.head + 1)
        engine.append_elsewhere(Draft(topic, event_head(topic), event_origin("other"), data))


def told(messages: list[Message]) -> list[Any]:
    """What came, events by their data and the rest by its type."""
    return [message["data"] if message["type"] == "event" else message["type"] for message in messages]


def gaps(messages: list[Message]) -> list[tuple[str, str, str]]:
    return [(one["from"], one["to"], one["reason"]) for one in messages if one["type"] == "gap"]


# ---- places


def test_a_cursor_that_another_broker_has_given_is_no_gap_where_this_one_is_behind() -> None:
    world, engine = remote()
    engine.is_stuck = True
    elsewhere(engine, 5)
    client = world.client()
    engine.is_stuck = False
    assert engine.head == 0
    messages = client.subscribe({"pattern": "a", "from": {"cursor": world.cursor(3)}})
    assert messages[0]["results"] == [{"sub": "a", "cursor": world.cursor(3)}]
    assert told(messages) == ["ack", 4, 5, "live"]
    assert engine.asked[0] == "refresh 3"


def test_a_cursor_that_this_broker_cannot_reach_is_refused_for_a_while_and_is_no_gap() -> None:
    world, engine = remote()
    elsewhere(engine, 2)
    client = world.client()
    (error,) = client.subscribe({"pattern": "a", "from": {"cursor": world.cursor(3)}})
    assert (error["type"], error["code"], error["retry_after_ms"]) == ("error", "UNAVAILABLE", 500)
    elsewhere(engine, 2)
    messages = client.subscribe({"pattern": "a", "from": {"cursor": world.cursor(3)}})
    assert told(messages) == ["ack", 4, "live"]


def test_a_cursor_of_another_epoch_is_a_gap_and_asks_for_no_place() -> None:
    world, engine = remote()
    elsewhere(engine, 1)
    messages = world.client().subscribe({"pattern": "a", "from": {"cursor": "other:9"}})
    assert gaps(messages) == [("other:9", world.cursor(0), "epoch")]
    assert engine.asked[0] == "refresh 0"


def test_a_place_that_was_passed_here_is_told_without_asking() -> None:
    world, engine = remote()
    client = world.client()
    client.subscribe("a")
    elsewhere(engine, 3)
    world.clock.settle()
    client.take()
    engine.asked.clear()
    messages = client.subscribe({"pattern": "a", "sub": "again", "from": {"cursor": world.cursor(3)}}, "a")
    assert told(messages) == ["ack", "live"]
    assert engine.asked == []


def test_several_places_of_one_message_are_asked_for_once() -> None:
    world, engine = remote()
    engine.is_stuck = True
    elsewhere(engine, 4)
    starts: list[Any] = [{"cursor": world.cursor(2)}, {"cursor": world.cursor(4)}, "start", "latest"]
    client = world.client()
    client.subscribe(*({"pattern": "a", "sub": f"s{number}", "from": start} for number, start in enumerate(starts)))
    assert [what for what in engine.asked if what.startswith("refresh")] == ["refresh 4"]
    assert len(client.ever("live")) == 4


def test_now_waits_for_nobody() -> None:
    world, engine = remote()
    engine.is_away = True
    messages = world.client().subscribe("a")
    assert messages == [{"type": "ack", "id": "s", "results": [{"sub": "a", "cursor": world.cursor(0)}]}]


def test_a_place_that_cannot_be_asked_for_is_refused_with_a_time_to_come_again() -> None:
    world, engine = remote()
    engine.is_away = True
    client = world.client()
    (error,) = client.subscribe({"pattern": "a", "from": "start"})
    assert (error["type"], error["code"], error["retry_after_ms"]) == ("error", "UNAVAILABLE", 500)
    assert client.closed is None
    assert world.hub.delivery.router.is_empty


def test_a_snapshot_is_fetched_page_by_page() -> None:
    world, engine = remote(Limits(page_scan=2))
    for topic in ("x", "y", "z", "x"):
        elsewhere(engine, 1, topic)
    messages = world.client().subscribe({"pattern": "*", "from": "latest"})
    assert told(messages) == ["ack", 2, 3, 4, "live"]
    assert engine.asked.count("fetch_latest") > 1


def test_a_snapshot_that_cannot_be_fetched_is_fetched_later() -> None:
    world, engine = remote()
    elsewhere(engine, 2)
    client = world.client()
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "latest"}]})
    while "fetch_latest" not in engine.asked:
        world.clock.turn()
    engine.is_away = True
    world.clock.settle()
    assert told(client.take()) == ["ack"]
    engine.is_away = False
    world.clock.advance(1.0)
    assert told(client.take()) == [2, "live"]


def test_what_a_snapshot_finds_behind_a_floor_that_rose_meanwhile_is_told_by_the_gap_alone() -> None:
    world, engine = remote(Limits(latest_topics=3))
    for topic in ("x", "y", "z"):
        elsewhere(engine, 1, topic)
    client = world.client()
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#", "from": "latest"}]})
    while "fetch_latest" not in engine.asked:
        world.clock.turn()
    world.clock.turn()  # the page is read, and on its way
    for topic in ("v", "w"):
        elsewhere(engine, 1, topic)
    world.clock.settle()
    messages = client.take()
    assert gaps(messages) == [(world.cursor(0), world.cursor(2), "evicted")]
    assert told(messages) == ["ack", "gap", 3, 4, 5, "live"]


def test_what_was_lost_between_finding_a_snapshot_and_reading_it_is_a_gap() -> None:
    world, engine = remote(Limits(latest_topics=2))
    for topic in ("x", "y", "z"):
        elsewhere(engine, 1, topic)
    client = world.client()
    starts = [{"pattern": "#", "from": "latest"}, {"pattern": "#", "sub": "last", "from": {"last": 1}}]
    client.post({"type": "subscribe", "id": 1, "subscriptions": starts})
    while "find_last" not in engine.asked:
        world.clock.turn()
    elsewhere(engine, 1, "v")
    world.clock.settle()
    messages = [message for message in client.take() if message.get("sub") == "#"]
    assert gaps(messages) == [
        (world.cursor(0), world.cursor(1), "evicted"),
        (world.cursor(1), world.cursor(2), "evicted"),
    ]
    assert told(messages) == ["gap", "gap", 3, 4, "live"]


def test_a_log_that_is_away_is_asked_again_soon_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    world, engine = remote()
    elsewhere(engine, 3)
    client = world.client()
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "from": "start"}]})
    while "fetch" not in engine.asked:
        world.clock.turn()
    engine.is_away = True
    world.clock.advance(20.0)
    assert engine.asked.count("fetch") > 8
    assert [record.exc_info for record in caplog.records] == [None] * engine.asked.count("fetch")
    engine.is_away = False
    world.clock.advance(2.0)
    assert told(client.take())[-4:] == [1, 2, 3, "live"]


# ---- what the follower could not bring


@pytest.mark.parametrize("mode", ["all", "disconnect", "drop_oldest", {"conflate_ms": 10}])
def test_what_was_evicted_before_the_follower_brought_it_is_one_gap(mode: Any) -> None:
    world, engine = remote(Limits(log_events=3))
    client = world.client()
    client.subscribe({"pattern": "a", "mode": mode})
    elsewhere(engine, 2)
    world.clock.advance(0.05)
    engine.is_stuck = True
    elsewhere(engine, 8)
    world.clock.settle()
    before = client.take()
    assert told(before)[-1] in (2, "position")
    engine.lose()
    engine.is_stuck = False
    engine.bring(8)
    world.clock.advance(0.05)
    elsewhere(engine, 1)
    world.clock.advance(0.05)
    messages = client.take()
    (gap,) = [message for message in messages if message["type"] == "gap"]
    assert (gap["from"], gap["to"], gap["reason"]) == (world.cursor(2), world.cursor(7), "evicted")
    assert "dropped" not in gap
    seqs = [message["seq"] for message in messages if message["type"] == "event"]
    assert seqs == ([10, 11] if isinstance(mode, dict) else [8, 9, 10, 11])
    assert messages.index(gap) == 0
    assert client.closed is None


def test_of_what_a_stalled_client_had_in_its_queue_and_what_was_missed_one_gap_tells() -> None:
    world, engine = remote(Limits(log_events=3, outbox_bytes=200, queue_size=5))
    client = world.client()
    client.subscribe({"pattern": "a", "mode": "drop_oldest"})
    client.sink.stall()
    elsewhere(engine, 6)
    world.clock.settle()
    engine.is_stuck = True
    elsewhere(engine, 6)
    engine.lose()
    engine.is_stuck = False
    client.sink.drain()
    elsewhere(engine, 1)
    world.clock.advance(0.1)
    events, lost = client.ever("event"), client.ever("gap")
    assert [one["seq"] for one in events][-4:] == [10, 11, 12, 13]
    assert lost[-1]["to"] == world.cursor(9)
    assert lost[-1]["reason"] == "evicted"
    told_or_lost = {one["seq"] for one in events}
    for gap in lost:
        told_or_lost |= set(range(int(gap["from"].split(":")[1]) + 1, int(gap["to"].split(":")[1]) + 1))
    assert told_or_lost == set(range(1, 14))


def test_a_client_that_reads_from_the_log_meets_the_gap_there() -> None:
    world, engine = remote(Limits(log_events=3, outbox_bytes=200))
    client = world.client()
    client.subscribe("a")
    client.sink.stall()
    elsewhere(engine, 6)
    world.clock.settle()
    assert client.session.outbox.is_behind
    engine.is_stuck = True
    elsewhere(engine, 6)
    engine.lose()
    engine.is_stuck = False
    client.sink.drain()
    world.clock.advance(0.1)
    assert gaps(client.ever("gap"))[-1][1:] == (world.cursor(9), "evicted")
    assert [one["seq"] for one in client.ever("event")][-3:] == [10, 11, 12]


# ---- a log made anew


def test_everyone_is_sent_away_when_the_log_is_made_anew_and_told_when_to_come_again() -> None:
    world, engine = remote(Limits(reconnect_window_ms=5_000))
    clients = [world.client() for _ in range(20)]
    clients[0].subscribe("a")
    elsewhere(engine, 3)
    world.clock.settle()
    former = world.cursor(3)
    engine.renew()
    waits = []
    for client in clients:
        bye = client.took("bye")[-1]
        assert (bye["code"], bye["reason"]) == (1012, "The log was made anew.")
        assert client.closed == 1012
        waits.append(bye["reconnect_after_ms"])
    assert all(0 <= wait <= 5_000 for wait in waits)
    assert len(set(waits)) > 5
    again = world.client()
    elsewhere(engine, 2)
    messages = again.subscribe({"pattern": "a", "from": {"cursor": former}})
    assert gaps(messages) == [(former, world.cursor(0), "epoch")]
    assert told(messages) == ["ack", "gap", 1, 2, "live"]


def test_what_was_brought_before_the_log_was_made_anew_is_still_written() -> None:
    world, engine = remote()
    client = world.client()
    client.subscribe("a")
    elsewhere(engine, 1)
    while engine.head == 0:
        world.clock.turn()
    engine.renew()
    assert told(client.take())[-2:] == [1, "bye"]


def test_who_serves_calls_in_this_process_stays() -> None:
    world, engine = remote()
    client = world.client()
    client.session.peer = Peer(transport="local")
    engine.renew()
    assert client.closed is None
    client.subscribe("a")
    engine.renew()
    assert client.closed == 1012


# ---- turns


def test_after_a_costly_turn_the_next_waits_a_moment_for_what_is_still_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, engine = remote()
    client = world.client()
    client.subscribe("a")
    write = client.sink.write

    def take_long(block: Any) -> None:
        world.clock.now += 0.003
        write(block)

    monkeypatch.setattr(client.sink, "write", take_long)
    elsewhere(engine, 1)
    world.clock.settle()
    assert told(client.take()) == [1]
    engine.in_flight = 1
    for _ in range(2):
        elsewhere(engine, 1)
        world.clock.settle()
        assert client.take() == []
    world.clock.advance(0.001)
    assert told(client.take()) == [2, 3]
    engine.in_flight = 0
    elsewhere(engine, 1)
    world.clock.settle()
    assert told(client.take()) == [4]


def test_a_turn_that_cost_little_waits_for_nothing() -> None:
    world, engine = remote()
    client = world.client()
    client.subscribe("a")
    engine.in_flight = 1
    elsewhere(engine, 1)
    world.clock.settle()
    elsewhere(engine, 1)
    world.clock.settle()
    assert told(client.take()) == [1, 2]
