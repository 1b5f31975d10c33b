"""Mode conflate: the last event of each topic once a tick, everything left out counted, a position after it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits

from .fakes import Client, World


def conflating(world: World, tick: int = 100, start: str = "now") -> Client:
    client = world.client()
    client.subscribe({"pattern": "#", "sub": "c", "mode": {"conflate_ms": tick}, "from": start})
    client.take()
    return client


def test_a_tick_sends_the_last_event_of_each_changed_topic_in_rising_order_and_a_position(world: World) -> None:
    client, writer = conflating(world), world.client()
    for n, topic in enumerate(["a", "b", "a", "c", "a", "b"], start=1):
        writer.publish(topic, n)
    assert client.take() == []
    world.clock.advance(0.1)
    *events, position = client.take()
    assert [(event["topic"], event["data"], event["skipped"]) for event in events] == [
        ("c", 4, 0),
        ("a", 5, 2),
        ("b", 6, 1),
    ]
    assert {event["sub"] for event in events} == {"c"}
    assert position == {"type": "position", "sub": "c", "cursor": world.cursor(6)}


def test_nothing_is_sent_while_nothing_changes(world: World) -> None:
    client, writer = conflating(world), world.client()
    writer.publish("a")
    world.clock.advance(0.1)
    assert len(client.take()) == 2
    world.clock.advance(1)
    assert client.take() == []


def test_a_tick_of_zero_is_every_turn(world: World) -> None:
    client, writer = conflating(world, tick=0), world.client()
    for n in range(3):
        writer.publish("a", n)
    assert [(event["data"], event["skipped"]) for event in client.took("event")] == [(0, 0), (1, 0), (2, 0)]


def test_a_tick_covers_what_came_since_the_last_one(world: World) -> None:
    client, writer = conflating(world), world.client()
    for _ in range(3):
        for n in range(4):
            writer.publish("a", n)
        world.clock.advance(0.1)
    assert [(event["seq"], event["skipped"]) for event in client.took("event")] == [(4, 3), (8, 3), (12, 3)]


def test_conflation_is_no_gap_and_no_drop(world: World) -> None:
    client, writer = conflating(world), world.client()
    for n in range(100):
        writer.publish("a", n)
    world.clock.advance(0.1)
    assert client.ever("gap") == []
    assert world.hub.stats.drops == 0


@given(
    topics=st.lists(st.sampled_from("abc"), max_size=60),
    ticks=st.sets(st.integers(0, 60)),
    stalls=st.sets(st.integers(0, 60)),
)
@settings(max_examples=60, deadline=None, print_blob=True)
def test_events_and_skipped_add_up_to_all_events(topics: list[str], ticks: set[int], stalls: set[int]) -> None:
    world = World(Limits(page_scan=4, outbox_bytes=400))
    client, writer = conflating(world), world.client()
    for n, topic in enumerate(topics):
        if n in stalls:
            client.sink.stall()
        writer.publish(topic, n)
        if n in ticks:
            world.clock.advance(0.1)
            client.sink.drain()
    client.sink.drain()
    world.clock.advance(0.3)
    counts: Counter[str] = Counter()
    for event in client.ever("event"):
        counts[event["topic"]] += 1 + event["skipped"]
    assert counts == Counter(topics)
    last = {topic: n for n, topic in enumerate(topics)}
    assert {event["topic"]: event["data"] for event in client.ever("event")} == last
    if topics:
        assert client.ever("position")[-1]["cursor"] == world.cursor(len(topics))


def test_a_replay_is_conflated_too(world: World) -> None:
    writer = world.client()
    for n in range(10):
        writer.publish("ab"[n % 2], n)
    client = conflating(world, start="start")
    assert [(event["data"], event["skipped"]) for event in client.ever("event")] == [(8, 4), (9, 4)]
    assert client.ever("live")[0]["cursor"] == world.cursor(10)


def test_ephemeral_events_are_conflated_by_topic(world: World) -> None:
    client, writer = conflating(world), world.client()
    for n in range(3):
        writer.publish("a", n, ephemeral=True)
    writer.publish("b", 9, ephemeral=True)
    world.clock.advance(0.1)
    events = client.took("event")
    assert [(event["topic"], event["data"], event["skipped"]) for event in events] == [("a", 2, 2), ("b", 9, 0)]
    assert all("seq" not in event for event in events)


def test_ephemeral_topics_of_a_tick_are_bounded_and_what_is_over_is_counted() -> None:
    world = World(Limits(queue_size=2))
    client, writer = conflating(world), world.client()
    for topic in ("a", "b", "c", "a"):
        writer.publish(topic, ephemeral=True)
    world.clock.advance(0.1)
    assert sorted(event["topic"] for event in client.took("event")) == ["a", "b"]
    assert world.hub.stats.ephemeral_skipped == 1


@pytest.mark.parametrize("when", ["before the tick", "while it reads"])
def test_a_subscription_that_ends_sends_nothing_more(when: str) -> None:
    world = World(Limits(page_scan=1))
    client, writer = conflating(world), world.client()
    for topic in "abcd":
        writer.publish(topic)
    if when == "while it reads":
        world.clock.now += 0.1
        world.clock.turn()
        world.clock.turn()
    before = len(client.ever("event"))
    client.say(type="unsubscribe", id=1, subs=["c"])
    world.clock.advance(1)
    assert len(client.ever("event")) == before < 4


def test_a_blocked_client_is_sent_only_the_last_once_it_reads() -> None:
    world = World(Limits(outbox_bytes=300))
    client, writer = conflating(world), world.client()
    client.sink.stall()
    for n in range(50):
        writer.publish("a", n)
        world.clock.advance(0.1)
    assert client.sink.buffered() < 300 + 2 * 300
    client.sink.drain()
    world.clock.settle()
    events = client.took("event")
    assert events[-1]["data"] == 49
    assert sum(1 + event["skipped"] for event in events) == 50
    assert len(events) < 10


def test_a_tick_of_many_pages_still_sends_each_topic_once() -> None:
    world = World(Limits(page_scan=10, page_bytes=1_000))
    client, writer = conflating(world), world.client()
    for n in range(500):
        writer.publish(f"t{n % 3}", n)
    world.clock.advance(0.2)
    events = client.took("event")
    assert [(event["topic"], event["data"]) for event in events] == [(f"t{n % 3}", n) for n in (497, 498, 499)]
    assert sum(event["skipped"] + 1 for event in events) == 500


def test_a_stalled_client_gets_one_event_a_topic_when_it_reads_again() -> None:
    world = World(Limits(outbox_bytes=2_000))
    client, writer = conflating(world), world.client()
    client.sink.stall()
    for n in range(300):
        writer.publish(f"t{n % 5}", "x" * 100)
        world.clock.advance(0.05)
    before = len(client.ever("event"))
    client.sink.drain()
    world.clock.advance(1)
    assert len(client.ever("event")) - before <= 40


def test_what_is_held_is_bounded_by_the_outbox() -> None:
    world = World(Limits(page_bytes=500, outbox_bytes=3_000))
    client, writer = conflating(world), world.client()
    for n in range(100):
        writer.publish(f"t{n}", "x" * 100)
    world.clock.advance(0.2)
    events = client.ever("event")
    assert [event["topic"] for event in events] == [f"t{n}" for n in range(100)]
    assert max(client.sink.writes) <= 2 * 3_000


def test_what_is_held_is_written_before_a_gap() -> None:
    world = World(Limits(page_scan=5, log_events=20))
    client, writer = conflating(world, tick=1_000), world.client()
    for n in range(15):
        writer.post({"type": "publish", "topic": f"t{n}", "data": n})
    world.clock.turn()
    world.clock.advance(1)
    client.take()
    for n in range(60):
        writer.publish("a", n)
    world.clock.advance(1)
    kinds = [message["type"] for message in client.take()]
    assert kinds == ["gap", "event", "position"]
