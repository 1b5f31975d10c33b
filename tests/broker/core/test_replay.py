"""Every `from`: where a replay begins, the gaps it names, its one `live`, and how many run at once."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine

from .fakes import Client, DeepEngine, EngineClass, Message, RemoteEngine, World


def fill(world: World, count: int, topic: str = "a") -> None:
    """Publish so many events, a second apart, with their numbers from 1."""
    writer = world.client()
    for _ in range(count):
        writer.publish(topic, world.engine.head + 1)
        world.clock.advance(1)
        writer.take()
        writer.post({"type": "pong"})
    writer.session.lost()


def replay(client: Client, start: Any, pattern: str = "a", **more: Any) -> list[Message]:
    """Subscribe as `r`: everything that came for it, the ack first."""
    return client.subscribe({"pattern": pattern, "sub": "r", "from": start, **more})


def acked(messages: list[Message]) -> str:
    cursor = messages[0]["results"][0]["cursor"]
    assert isinstance(cursor, str)
    return cursor


def data(messages: list[Message]) -> list[Any]:
    return [message["data"] for message in messages if message["type"] == "event"]


@pytest.mark.parametrize(
    ("start", "after"),
    [
        ("start", 0),
        ({"last": 2}, 8),
        ({"last": 100}, 0),
        ({"last": 0}, 10),
        ({"since_ms": 0}, 0),
        ({"since_ms": 1_790_000_003_000}, 3),
        ({"since_ms": 1_790_000_003_001}, 4),
        ({"since_ms": 1_890_000_000_000}, 10),
        ({"cursor": 4}, 4),
        ({"cursor": 10}, 10),
    ],
)
@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
def test_a_replay_begins_behind_the_acked_cursor_and_ends_in_one_live(
    start: Any, after: int, engine_class: EngineClass
) -> None:
    world = World(engine_class=engine_class)
    fill(world, 10)
    if isinstance(start, dict) and "cursor" in start:
        start = {"cursor": world.cursor(start["cursor"])}
    client = world.client()
    messages = replay(client, start)
    assert acked(messages) == world.cursor(after)
    assert data(messages) == list(range(after + 1, 11))
    assert {message["sub"] for message in messages[1:]} == {"r"}
    assert messages[-1] == {"type": "live", "sub": "r", "cursor": world.cursor(10)}
    assert len(client.ever("live")) == 1
    assert "sub" not in client.publish("a", 11)[0]


def test_the_last_n_are_the_last_that_match(world: World) -> None:
    for topic in ("a.1", "b", "a.2", "b", "a.3", "b"):
        fill(world, 1, topic)
    messages = replay(world.client(), {"last": 2}, "a.*")
    assert data(messages) == [3, 5]


def test_the_start_is_the_oldest_event_the_log_still_holds_without_a_gap() -> None:
    world = World(Limits(log_events=3))
    fill(world, 10)
    messages = replay(world.client(), "start")
    assert acked(messages) == world.cursor(7)
    assert [message["type"] for message in messages] == ["ack", "event", "event", "event", "live"]


def test_a_cursor_whose_events_were_evicted_gets_a_gap_with_exactly_the_lost_range() -> None:
    world = World(Limits(log_events=3))
    fill(world, 10)
    messages = replay(world.client(), {"cursor": world.cursor(2)})
    assert acked(messages) == world.cursor(2)
    gap = {"type": "gap", "sub": "r", "from": world.cursor(2), "to": world.cursor(7), "reason": "evicted"}
    assert messages[1] == gap
    assert data(messages) == [8, 9, 10]


def test_a_cursor_right_before_the_oldest_event_has_no_gap() -> None:
    world = World(Limits(log_events=3))
    fill(world, 10)
    messages = replay(world.client(), {"cursor": world.cursor(7)})
    assert [message["type"] for message in messages] == ["ack", "event", "event", "event", "live"]


@pytest.mark.parametrize("named", ["old-log:3", "ahead"])
def test_a_cursor_of_another_log_or_ahead_of_the_head_is_an_epoch_gap(named: str) -> None:
    world = World(Limits(log_events=3))
    fill(world, 5)
    cursor = world.cursor(6) if named == "ahead" else named
    messages = replay(world.client(), {"cursor": cursor})
    assert acked(messages) == world.cursor(2)
    assert messages[1] == {"type": "gap", "sub": "r", "from": cursor, "to": world.cursor(2), "reason": "epoch"}
    assert data(messages) == [3, 4, 5]
    assert messages[-1]["type"] == "live"


def test_a_log_that_holds_nothing_is_replayed_as_a_gap_up_to_its_head() -> None:
    world = World(Limits(log_events=0))
    fill(world, 5)
    messages = replay(world.client(), {"cursor": world.cursor(1)})
    assert [message["type"] for message in messages] == ["ack", "gap", "live"]
    assert messages[1]["to"] == messages[2]["cursor"] == world.cursor(5)


def test_replays_over_the_limit_wait_for_the_others() -> None:
    world = World(Limits(max_replays=2, page_scan=3))
    fill(world, 12)
    client = world.client()
    names = [f"s{n}" for n in range(5)]
    client.post(
        {"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "sub": n, "from": "start"} for n in names]}
    )
    running: set[str] = set()
    most = 0
    while world.clock.turn():
        for message in client.take():
            if message["type"] == "event":
                running.add(message["sub"])
            elif message["type"] == "live":
                running.remove(message["sub"])
            most = max(most, len(running))
    assert most == 2
    assert sorted(live["sub"] for live in client.ever("live")) == names
    for name in names:
        assert [event["data"] for event in client.ever("event") if event["sub"] == name] == list(range(1, 13))


def test_a_waiting_replay_that_is_given_up_makes_no_room_and_leaves_nothing() -> None:
    world = World(Limits(max_replays=1, page_scan=2))
    fill(world, 10)
    client = world.client()
    wanted = [{"pattern": "a", "sub": name, "from": "start"} for name in ("one", "two", "three")]
    client.post({"type": "subscribe", "id": 1, "subscriptions": wanted})
    world.clock.turn()
    client.say(type="unsubscribe", id=2, subs=["two"])
    assert [live["sub"] for live in client.ever("live")] == ["one", "three"]
    assert not [event for event in client.ever("event") if event["sub"] == "two"]
    client.session.lost()
    assert world.is_clean()


def test_what_is_published_during_a_replay_is_neither_lost_nor_doubled() -> None:
    world = World(Limits(page_scan=2))
    fill(world, 9)
    client, writer = world.client(), world.client()
    client.post({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a", "sub": "r", "from": "start"}]})
    for n in range(10, 40):
        writer.post({"type": "publish", "topic": "a", "data": n})
        world.clock.turn()
    world.clock.settle()
    assert [event["data"] for event in client.ever("event")] == list(range(1, 40))
    live = next(index for index, message in enumerate(client.sink.received) if message["type"] == "live")
    assert all(("sub" in event) == (index < live) for index, event in enumerate(client.sink.received) if "seq" in event)


def test_now_beside_an_item_that_must_be_looked_up_is_the_moment_of_the_ack() -> None:
    world = World(engine_class=DeepEngine)
    fill(world, 3)
    client, writer = world.client(), world.client()
    wanted = [{"pattern": "a", "sub": "live"}, {"pattern": "b", "from": {"last": 1}}]
    client.post({"type": "subscribe", "id": 1, "subscriptions": wanted})
    world.clock.turn()
    writer.post({"type": "publish", "topic": "a", "data": 4})
    writer.post({"type": "publish", "topic": "a", "data": 5})
    world.clock.settle()
    [ack] = client.ever("ack")
    after = int(ack["results"][0]["cursor"].partition(":")[2])
    assert [event["seq"] for event in client.ever("event")] == list(range(after + 1, 6))


@pytest.mark.parametrize("mode", ["drop_oldest", {"conflate_ms": 0}])
def test_a_replay_in_a_mode_of_its_own_ends_in_live_too_and_keeps_the_name(world: World, mode: Any) -> None:
    fill(world, 3)
    client = world.client()
    messages = replay(client, "start", mode=mode)
    assert messages[-1] == {"type": "live", "sub": "r", "cursor": world.cursor(3)}
    client.publish("a", 4)
    assert client.ever("event")[-1]["sub"] == "r"
    assert len(client.ever("live")) == 1
