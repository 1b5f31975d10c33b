"""The fold of the journal, and the gathering of groups, beside plain models."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.engines.base import Draft, Put, Stored
from swarmwire_broker.engines.nats.state.grouping import Grouping
from swarmwire_broker.engines.nats.state.journal import (
    BrokenChain,
    Change,
    Event,
    Fold,
    Forked,
    Group,
    decode_group,
    encode_group,
    event_ids,
    new_change,
    size_of,
)
from swarmwire_broker.engines.state import State
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import SwarmwireError

NAMES = st.sampled_from(["a", "b", "c"])
PUTS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3), st.none() | st.integers(-2, 0)), max_size=3)
EVENT = Event("x", event_head("x"), event_origin("alice"), b"1", "instance", True)


def group(
    n: int, p: int, *changes: Change, w: str = "w", r: int = 0, b: str | None = None, t: int = 0, d: int = 0
) -> Group:
    """One that follows the group of its writer that has the number before."""
    before = (f"{w}-{n - 1}" if p else "") if b is None else b
    return Group(w, n, p, r, before, t, list(changes), d, "log", 7)


def with_event(key: str = "a") -> Change:
    return Change([(key, b"1")], [EVENT])


def test_a_group_is_read_as_it_was_written() -> None:
    written = group(3, 2, with_event(), Change([("b", None)], []), t=4, d=1)
    assert decode_group(encode_group(written)) == written


def test_what_a_later_version_adds_to_a_group_is_passed_over() -> None:
    written = msgspec.msgpack.encode({"w": "w", "n": 1, "p": 0, "r": 0, "later": [1, 2]})
    assert decode_group(written) == Group("w", 1, 0, 0)


def test_a_group_that_does_not_follow_changes_nothing() -> None:
    fold = Fold()
    fold.apply(1, group(1, 0, with_event()), 10)
    with pytest.raises(BrokenChain):
        fold.apply(5, group(3, 4, Change([("a", b"2")], [])), 10)
    assert (fold.seq, fold.state.get("a")) == (1, Stored(b"1", 1))


def test_a_group_that_follows_another_than_is_known_is_of_another_journal() -> None:
    fold = Fold()
    fold.apply(3, group(1, 0), 10)
    for stranger in (group(2, 3, b="x-1"), group(2, 2)):
        with pytest.raises(Forked):
            fold.apply(4, stranger, 10)
    assert (fold.seq, fold.last) == (3, "w-1")


def test_a_group_that_comes_again_is_passed_over() -> None:
    fold = Fold()
    for _ in range(2):
        fold.apply(1, group(1, 0, with_event()), 10)
    assert (fold.seq, fold.state.revision) == (1, 1)


def test_events_are_doubtful_until_a_later_group_or_somebody_says_that_they_are_told() -> None:
    fold = Fold()
    fold.apply(1, group(1, 0, with_event()), 10)
    fold.apply(2, group(2, 1, Change([("b", b"1")], []), r=1), 10)
    fold.apply(3, group(3, 2, with_event(), r=2), 10)
    assert (list(fold.doubtful), fold.told) == ([1, 3], 0)
    fold.apply(4, group(4, 3, r=3, d=2), 10)
    assert (list(fold.doubtful), fold.told, fold.recorded) == ([3], 2, 2)
    fold.settle(group(3, 2))
    assert (list(fold.doubtful), fold.told, fold.is_noted) == ([], 4, False)
    fold.apply(5, group(5, 4, r=3, d=4), 10)
    assert fold.is_noted


def test_the_last_group_of_each_writer_is_known() -> None:
    fold = Fold()
    fold.apply(1, group(5, 0, w="x"), 10)
    fold.apply(2, group(9, 1, w="y", b="x-5"), 10)
    assert (fold.last_of("x"), fold.last_of("y"), fold.last_of("z")) == (5, 9, 0)


def test_only_the_writers_of_the_last_groups_are_remembered() -> None:
    fold = Fold()
    for seq in range(1, 301):
        fold.apply(seq, group(1, seq - 1, w=f"w{seq}", b=fold.last), 10)
    assert (fold.last_of("w300"), fold.last_of("w1"), len(fold.writers)) == (1, 0, 256)


def test_whoever_begins_a_term_owns_it() -> None:
    fold = Fold()
    fold.apply(1, group(1, 0, w="x", t=1), 10)
    fold.apply(2, group(1, 1, w="y", b="x-1", t=2), 10)
    fold.apply(3, group(2, 2, w="y", t=2), 10)
    assert (fold.term, fold.owner) == (2, "y")


def test_every_event_has_an_id_of_its_own() -> None:
    named = event_ids(group(3, 0, Change([], [EVENT, EVENT]), Change([], []), with_event(), w="me"))
    assert [[message_id for message_id, _ in change] for change in named] == [
        [b"tx-me-3-0-0", b"tx-me-3-0-1"],
        [],
        [b"tx-me-3-2-0"],
    ]


def test_an_event_is_the_draft_it_was_made_of() -> None:
    draft = Draft("x", event_head("x"), event_origin("alice"), b"1", None, "instance", True)
    back = Event.of(draft).draft()
    assert all(getattr(back, name) == getattr(draft, name) for name in Draft.__slots__)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=300)), max_size=4),
    st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=300), st.none() | st.text(max_size=5)), max_size=3),
)
def test_the_size_of_a_change_is_never_less_than_what_it_takes_up(
    puts: list[tuple[str, bytes | None]], events: list[tuple[str, bytes, str | None]]
) -> None:
    drafts = [Draft(topic, event_head(topic), b"", data, None, hidden) for topic, data, hidden in events]
    change = new_change([Put(key, value) for key, value in puts], drafts)
    empty = len(encode_group(group(1, 0)))
    assert len(encode_group(group(1, 0, change))) - empty <= size_of(change) + 8


@settings(deadline=None)
@given(st.lists(PUTS, max_size=12), st.integers(1, 200))
def test_gathered_changes_are_those_that_would_be_made_one_by_one(
    steps: list[list[tuple[str, bytes | None, int | None]]], room: int
) -> None:
    one_by_one, fold, seq = State(), Fold(), 0
    grouping = Grouping(fold.state, room)
    for step in steps:
        puts = [Put(k, v, None if back is None else max(0, one_by_one.revision + back)) for k, v, back in step]
        change = new_change(puts, [])
        size = size_of(change)
        if not grouping.has_room(size):
            seq += 1
            fold.apply(seq, group(seq, seq - 1, *grouping.changes, r=grouping.base), 0)
            assert fold.state.revision == grouping.revision
            grouping = Grouping(fold.state, max(room, size))
        try:
            one_by_one.check(puts)
        except SwarmwireError as error:
            with pytest.raises(SwarmwireError, match=str(error)):
                grouping.add(puts, change, size)
        else:
            assert grouping.add(puts, change, size) == one_by_one.apply(puts)
    fold.apply(seq + 1, group(seq + 1, seq, *grouping.changes, r=grouping.base), 0)
    assert fold.state.scan("") == one_by_one.scan("")
    assert fold.state.revision == one_by_one.revision


def test_a_group_takes_a_thousand_changes_at_most() -> None:
    grouping = Grouping(State(), 1 << 30)
    for number in range(1_000):
        assert grouping.has_room(1)
        grouping.add([], Change([], []), 1)
        assert grouping.revision == 0, number
    assert not grouping.has_room(1)
