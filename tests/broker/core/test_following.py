"""All of a client's patterns taken to one place in the log: one order, one cursor, nothing missed or doubled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.following import EVERYTHING_FOLLOWED, PageReader, find_place, follow
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.messages import Permissions, StartAt
from swarmwire_protocol.topics import matches

from .fakes import Client, DeepEngine, EngineClass, Message, RemoteEngine, World

PATTERNS = ("t.#", "t.0.*", "#.x", "other")


def begin(world: World, client: Client, place: str | StartAt, *patterns: str) -> list[str | None]:
    """Subscribe from now and go to a place in the same turn; where it begins, once that is known."""
    found: list[str | None] = []

    async def going() -> None:
        found.append(await follow(client.session.outbox, place))

    client.post({"type": "subscribe", "id": "s", "subscriptions": [{"pattern": pattern} for pattern in patterns]})
    world.clock.spawn(going())
    world.clock.turn()
    return found


def fill(world: World, count: int) -> None:
    writer = world.client()
    for number in range(count):
        writer.publish(f"t.{number % 3}.x", number)
    writer.session.lost()


def data(messages: list[Message]) -> list[Any]:
    return [message["data"] for message in messages if message["type"] == "event"]


@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
@pytest.mark.parametrize(
    ("place", "after"),
    [
        ("start", 0),
        (StartAt(cursor="4"), 4),
        (StartAt(last=3), 9),
        (StartAt(since_ms=0), 0),
        (StartAt(cursor="12"), 12),
    ],
)
def test_every_event_behind_the_place_comes_once_and_then_one_live(
    place: str | StartAt, after: int, engine_class: EngineClass
) -> None:
    world = World(engine_class=engine_class)
    fill(world, 12)
    if isinstance(place, StartAt) and place.cursor is not None:
        place = StartAt(cursor=world.cursor(int(place.cursor)))
    client = world.client()
    found = begin(world, client, place, *PATTERNS)
    world.clock.settle()
    messages = client.take()
    assert found == [world.cursor(after)]
    assert data(messages) == list(range(after, 12))
    assert not any("sub" in message for message in messages if message["type"] == "event")
    assert messages[-1] == {"type": "live", "sub": EVERYTHING_FOLLOWED, "cursor": world.cursor(12)}
    world.client().publish("t.0.x", 99)
    assert data(client.take()) == [99]


def test_from_now_nothing_is_read_and_nothing_said() -> None:
    world = World()
    fill(world, 3)
    client = world.client()
    assert begin(world, client, "now", "t.#") == [world.cursor(3)]
    world.clock.settle()
    assert [message["type"] for message in client.take()] == ["ack"]


def test_a_snapshot_is_the_last_event_of_each_topic_once() -> None:
    world = World()
    fill(world, 12)
    client = world.client()
    found = begin(world, client, "latest", *PATTERNS)
    world.clock.settle()
    messages = client.take()
    assert found == [None], "it has no place yet"
    assert data(messages) == [9, 10, 11]
    assert messages[-1]["cursor"] == world.cursor(12)


def test_a_place_in_another_log_is_a_gap_first() -> None:
    world = World()
    fill(world, 3)
    client = world.client()
    found = begin(world, client, StartAt(cursor="elsewhere:9"), "t.#", "other")
    world.clock.settle()
    _, gap, *rest = client.take()
    assert found == [None]
    assert gap == {"type": "gap", "from": "elsewhere:9", "to": world.cursor(0), "reason": "epoch"}
    assert data(rest) == [0, 1, 2]


def test_what_is_published_while_the_place_is_looked_for_is_not_missed() -> None:
    world = World(engine_class=DeepEngine)
    fill(world, 5)
    client, writer = world.client(), world.client()
    begin(world, client, StartAt(since_ms=0), "t.#")
    writer.post({"type": "publish", "topic": "t.0.x", "data": "meanwhile"})
    world.clock.settle()
    assert data(client.take()) == [0, 1, 2, 3, 4, "meanwhile"]


def test_a_pattern_that_is_denied_meanwhile_is_not_read_on() -> None:
    world = World(Limits(page_scan=2))
    fill(world, 30)
    client = world.client()
    begin(world, client, "start", "t.0.*", "t.1.*")
    for _ in range(4):
        world.clock.turn()
    seen = len(data(client.take()))
    assert 0 < seen < 20
    client.session.author.permit(Permissions(subscribe=["t.1.#"]))
    client.session.recheck()
    world.clock.settle()
    messages = client.take()
    gap = next(message for message in messages if message["type"] == "gap")
    assert (gap["reason"], gap["sub"]) == ("denied", "t.0.*")
    place = messages.index(gap)
    assert all(message["topic"] == "t.1.x" for message in messages[place:] if message["type"] == "event")
    assert data(messages)[-1] == 28


def test_a_client_that_is_lost_while_its_place_is_looked_for_leaves_nothing() -> None:
    world = World(engine_class=DeepEngine)
    fill(world, 5)
    client = world.client()
    begin(world, client, StartAt(last=1), "t.#")
    client.session.lost()
    world.clock.settle()
    assert world.is_clean()
    assert world.clock.failures == []


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(["t.0.x", "t.1.y", "other", "not.this", "a.x"])),
        st.tuples(st.just("drain"), st.integers(1, 400)),
        st.sampled_from([("turn", 0), ("stall", 0), ("drain all", 0)]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(
    before=_STEPS,
    after=_STEPS,
    place=st.integers(0, 40),
    snapshot=st.booleans(),
    held=st.integers(3, 60),
    scan=st.integers(1, 8),
    deep=st.booleans(),
)
def test_whatever_happens_the_events_and_gaps_together_are_the_log(
    before: list[tuple[str, Any]],
    after: list[tuple[str, Any]],
    place: int,
    snapshot: bool,
    held: int,
    scan: int,
    deep: bool,
) -> None:
    limits = Limits(log_events=held, page_scan=scan, outbox_bytes=400)
    world = World(limits, engine_class=DeepEngine if deep else MemoryEngine)
    writer, client = world.client(), world.client()
    _play(world, writer, client, [step for step in before if step[0] == "publish"])
    start = min(place, world.engine.head)
    begun = world.engine.head
    begin(world, client, "latest" if snapshot else StartAt(cursor=world.cursor(start)), *PATTERNS)
    _play(world, writer, client, after)
    client.sink.drain()
    world.clock.settle()
    expected = {entry.seq: entry.topic for entry in world.log if any(matches(one, entry.topic) for one in PATTERNS)}
    if snapshot:
        _check_snapshot(client, expected, begun)
    else:
        _check_all(client, {seq for seq in expected if seq > start}, start)
    assert world.clock.failures == []


def _play(world: World, writer: Client, client: Client, steps: list[tuple[str, Any]]) -> None:
    for step in steps:
        match step:
            case ("publish", topic):
                writer.post({"type": "publish", "topic": topic, "data": "x" * 20})
            case ("turn", _):
                world.clock.turn()
            case ("stall", _):
                client.sink.stall()
            case ("drain", size):
                client.sink.drain(size)
            case _:
                client.sink.drain()


def _check_all(client: Client, wanted: set[int], start: int) -> None:
    place, seen, lost = start, [], set()
    for message in client.sink.received:
        match message:
            case {"type": "event", "seq": seq}:
                assert seq > place, "in the order of the log, each once"
                seen.append(seq)
                place = seq
            case {"type": "gap", "from": begin, "to": end}:
                first, last = (int(cursor.partition(":")[2]) for cursor in (begin, end))
                assert place <= first <= last
                lost |= set(range(first + 1, last + 1))
                place = last
            case {"type": "live" | "position", "cursor": cursor}:
                assert int(cursor.partition(":")[2]) >= place
                place = int(cursor.partition(":")[2])
    assert set(seen) | (lost & wanted) == wanted
    assert not set(seen) & lost
    assert len(client.ever("live")) == 1


def _check_snapshot(client: Client, expected: dict[int, str], begun: int) -> None:
    seen = [message["seq"] for message in client.ever("event")]
    assert len(seen) == len(set(seen))
    lost = {
        seq
        for gap in client.ever("gap")
        for seq in range(int(gap["from"].partition(":")[2]) + 1, int(gap["to"].partition(":")[2]) + 1)
    }
    newest = {topic: seq for seq, topic in expected.items()}
    assert set(newest.values()) <= set(seen) | lost, "the last event of every topic"
    assert {seq for seq in expected if seq > begun} <= set(seen) | lost, "and everything that came after"
    assert len(client.ever("live")) == 1


# ---- one page


def page(world: World, after: int, *, until: int | None = None, limit: int = 100) -> tuple[list[Message], PageReader]:
    client = world.client()
    matcher = Matcher(["t.#"])
    made: list[PageReader] = []

    async def reading() -> None:
        outbox = client.session.outbox
        start = await find_place(outbox, StartAt(cursor=world.cursor(after)), matcher)
        made.append(PageReader(outbox, matcher, start, until=until, limit=limit))
        outbox.begin(made[0])

    world.clock.spawn(reading())
    world.clock.settle()
    return client.take(), made[0]


@pytest.mark.parametrize(
    ("after", "until", "limit", "expected", "more"),
    [
        (0, None, 100, list(range(12)), False),
        (0, None, 5, [0, 1, 2, 3, 4], True),
        (7, None, 5, [7, 8, 9, 10, 11], False),
        (2, 6, 100, [2, 3, 4, 5], False),
        (2, 6, 2, [2, 3], True),
        (6, 6, 100, [], False),
        (12, None, 1, [], False),
        (0, 500, 100, list(range(12)), False),
    ],
)
@pytest.mark.parametrize("engine_class", [MemoryEngine, DeepEngine, RemoteEngine])
def test_a_page_ends_with_its_position(
    after: int, until: int | None, limit: int, expected: list[int], more: bool, engine_class: EngineClass
) -> None:
    world = World(Limits(page_scan=3), engine_class=engine_class)
    fill(world, 12)
    messages, reader = page(world, after, until=until, limit=limit)
    assert data(messages) == expected
    last = expected[-1] + 1 if expected else after
    assert messages[-1] == {"type": "position", "cursor": world.cursor(last)}
    assert (reader.more, reader.stopped) == (more, True)


def test_a_page_names_what_was_evicted() -> None:
    world = World(Limits(log_events=4))
    fill(world, 12)
    messages, _ = page(world, 1)
    assert messages[0] == {"type": "gap", "from": world.cursor(1), "to": world.cursor(8), "reason": "evicted"}
    assert data(messages) == [8, 9, 10, 11]


def test_a_page_is_bounded_in_bytes_by_half_an_outbox() -> None:
    world = World(Limits(outbox_bytes=1_000))
    fill(world, 50)
    messages, reader = page(world, 0)
    size = sum(len(json.dumps(message)) for message in messages)
    assert reader.more
    assert 400 < size < 1_000
