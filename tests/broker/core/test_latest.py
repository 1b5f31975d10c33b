"""`from: latest`: the last event of every topic, what it cannot vouch for, clearing, and what changes meanwhile."""

from __future__ import annotations

from typing import Any

from swarmwire_broker.core.settings import Limits

from .fakes import Client, Message, World


def snapshot(client: Client, pattern: str = "#") -> list[Message]:
    return client.subscribe({"pattern": pattern, "sub": "L", "from": "latest"})


def told(messages: list[Message]) -> list[tuple[str, Any]]:
    return [(message["topic"], message["data"]) for message in messages if message["type"] == "event"]


def test_a_snapshot_is_the_last_event_of_every_matching_topic_in_rising_order_then_live(world: World) -> None:
    client = world.client()
    for n, topic in enumerate(["x.a", "x.b", "y", "x.a", "x.c", "x.b"]):
        client.publish(topic, n)
    messages = snapshot(client, "x.*")
    assert told(messages) == [("x.a", 3), ("x.c", 4), ("x.b", 5)]
    assert messages[-1] == {"type": "live", "sub": "L", "cursor": world.cursor(6)}
    assert {message["sub"] for message in messages[1:]} == {"L"}
    assert client.ever("gap") == []


def test_a_snapshot_outlives_the_log() -> None:
    world = World(Limits(log_events=1))
    client = world.client()
    for topic in ("a", "b", "c"):
        client.publish(topic, topic)
    assert told(snapshot(client)) == [("a", "a"), ("b", "b"), ("c", "c")]


def test_a_table_that_has_dropped_topics_says_up_to_where() -> None:
    world = World(Limits(latest_topics=2))
    client = world.client()
    for topic in ("a", "b", "c", "d"):
        client.publish(topic, topic)
    messages = snapshot(client)
    gap = {"type": "gap", "sub": "L", "from": world.cursor(0), "to": world.cursor(2), "reason": "evicted"}
    assert messages[1] == gap
    assert told(messages) == [("c", "c"), ("d", "d")]


def test_clearing_a_topic_is_delivered_and_logged_and_takes_it_out(world: World) -> None:
    client, reader = world.client(), world.client()
    reader.subscribe("a")
    client.publish("a", 1)
    client.publish("b", 2)
    client.publish("a", None, clear=True)
    assert [event.get("clear", False) for event in reader.ever("event")] == [False, True]
    assert told(snapshot(client)) == [("b", 2)]
    client.subscribe({"pattern": "a", "from": "start", "sub": "log"})
    assert [event.get("clear", False) for event in client.ever("event") if event["sub"] == "log"] == [False, True]
    client.publish("a", 3)
    assert told(snapshot(world.client(), "a")) == [("a", 3)]


def test_a_topic_that_changes_while_the_snapshot_is_written_comes_in_the_tail() -> None:
    world = World(Limits(page_scan=2))
    client, writer = world.client(), world.client()
    for n in range(8):
        writer.publish(f"t{n}", "old")
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#", "sub": "L", "from": "latest"}]})
    world.clock.turn()
    writer.post({"type": "publish", "topic": "t7", "data": "new"})
    writer.post({"type": "publish", "topic": "t0", "data": "new"})
    world.clock.settle()
    events = told(client.ever("event"))
    assert sorted(events) == sorted([*((f"t{n}", "old") for n in range(7)), ("t0", "new"), ("t7", "new")])
    seqs = [event["seq"] for event in client.ever("event")]
    assert seqs == sorted(seqs)
    assert len(client.ever("live")) == 1
    assert client.ever("gap") == []


def test_topics_dropped_while_the_snapshot_is_written_are_a_gap_that_never_reaches_back() -> None:
    world = World(Limits(page_scan=2, latest_topics=6))
    client, writer = world.client(), world.client()
    for n in range(6):
        writer.publish(f"t{n}")
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#", "sub": "L", "from": "latest"}]})
    world.clock.turn()
    world.clock.turn()
    before = len(client.ever("event"))
    assert 0 < before < 6
    for n in range(6):
        writer.post({"type": "publish", "topic": f"new{n}", "data": None})
    world.clock.settle()
    [gap] = client.ever("gap")
    assert (gap["from"], gap["to"]) == (world.cursor(before), world.cursor(6))
    assert [event["seq"] for event in client.ever("event")] == [*range(1, before + 1), *range(7, 13)]


def test_topics_dropped_behind_the_snapshot_are_no_loss() -> None:
    world = World(Limits(page_scan=4, latest_topics=6))
    client, writer = world.client(), world.client()
    for n in range(6):
        writer.publish(f"t{n}")
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#", "sub": "L", "from": "latest"}]})
    while not client.ever("event"):
        world.clock.turn()
    assert len(client.ever("event")) == 4
    writer.publish("new")
    assert client.ever("gap") == []
    assert [event["seq"] for event in client.ever("event")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_snapshot_of_nothing_is_live_at_once(world: World) -> None:
    assert [message["type"] for message in snapshot(world.client())] == ["ack", "live"]


def test_a_snapshot_before_many_topics_is_sent_in_pages() -> None:
    world = World(Limits(page_bytes=500))
    client, writer = world.client(), world.client()
    for n in range(50):
        writer.publish(f"t{n}", "x" * 50)
    client.sink.writes.clear()
    assert len(told(snapshot(client))) == 50
    assert max(client.sink.writes) < 500 + 200
