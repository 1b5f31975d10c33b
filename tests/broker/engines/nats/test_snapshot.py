"""Snapshots are put together as they were cut, and are due when the journal has outgrown the last one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.engines.base import Put
from swarmwire_broker.engines.nats.state.journal import Change, Event, Fold, Group
from swarmwire_broker.engines.nats.state.snapshot import (
    DamagedSnapshot,
    chunks_of,
    decode_pointer,
    encode_pointer,
    is_due,
    plan,
    restored,
)

EVENT = Event("x", b"", b"", b"1")


def fold_of(values: dict[str, bytes]) -> Fold:
    fold = Fold()
    for seq, (key, value) in enumerate(values.items(), 1):
        fold.apply(seq, Group("w", seq, seq - 1, seq - 1, fold.last, 3, [Change([(key, value)], [])]), len(value))
    return fold


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=400), max_size=20), st.integers(500, 2_000))
def test_a_snapshot_is_what_it_was_made_of(values: dict[str, bytes], most: int) -> None:
    fold = fold_of(values)
    chunks = list(chunks_of(fold.state.items(), most))
    pointer = decode_pointer(encode_pointer(plan(fold, "name").counted(len(chunks), sum(map(len, chunks)))))
    back = restored(pointer, chunks)
    assert all(len(chunk) <= most for chunk in chunks)
    assert back.state.scan("") == fold.state.scan("")
    assert (back.seq, back.last, back.term, back.owner, back.told) == (
        fold.seq,
        fold.last,
        fold.term,
        fold.owner,
        fold.told,
    )
    assert (back.state.revision, back.writers) == (fold.state.revision, fold.writers)
    assert back.state.apply([Put("new", b"")]) == fold.state.revision + 1


def test_a_snapshot_with_a_chunk_that_is_missing_or_is_another_is_damaged() -> None:
    fold = fold_of({f"key{number}": b"x" * 200 for number in range(10)})
    chunks = list(chunks_of(fold.state.items(), 500))
    pointer = plan(fold, "name").counted(len(chunks), 0)
    with pytest.raises(DamagedSnapshot):
        restored(pointer, chunks[:-1])
    with pytest.raises(DamagedSnapshot):
        restored(pointer, [*chunks[:-1], chunks[0]])
    with pytest.raises(DamagedSnapshot):
        restored(pointer, [*chunks[:-1], b"what is this"])


def test_the_journal_is_needed_from_the_first_group_whose_events_may_be_missing() -> None:
    fold = Fold()
    fold.apply(1, Group("w", 1, 0, 0, c=[Change([("a", b"")], [])]), 0)
    fold.apply(2, Group("w", 2, 1, 1, "w-1", c=[Change([("a", b"")], [EVENT])]), 0)
    fold.apply(3, Group("w", 3, 2, 2, "w-2", c=[Change([("a", b"")], [])]), 0)
    assert (plan(fold, "name").s, plan(fold, "name").f, plan(fold, "name").d) == (3, 2, 1)
    fold.settle(Group("w", 2, 1, 1))
    assert (plan(fold, "name").s, plan(fold, "name").f, plan(fold, "name").d) == (3, 3, 3)


def test_a_snapshot_is_due_when_the_journal_has_outgrown_the_last_one() -> None:
    fold = Fold()
    fold.cost = 600_000
    assert is_due(fold)
    fold.snapshotted(1, 2_000_000, 500_000)
    assert fold.cost == 100_000
    fold.cost = 1_999_999
    assert not is_due(fold)
    fold.cost = 2_000_001
    assert is_due(fold)


def test_a_small_state_needs_no_snapshot_before_half_a_megabyte() -> None:
    fold = Fold()
    fold.cost = 512 * 1024
    assert not is_due(fold)
