"""The table of idempotency keys never forgets too early, and refuses rather than forget."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.dedupe import DedupeTable, Key, monotonic_ms
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

KEYS = st.tuples(st.sampled_from("st"), st.sampled_from("ab"), st.sampled_from("123"))
LIMITS = st.tuples(st.integers(0, 50), st.integers(0, 8), st.integers(0, 5))


def use(table: DedupeTable, key: Key, seq: int, now: int) -> int | SwarmwireError:
    """What an engine does with a key: the place it has, or the error that refuses it."""
    known = table.find(key, now)
    if known is not None:
        return known
    try:
        table.check_room(key, now)
    except SwarmwireError as error:
        return error
    table.remember(key, seq, now)
    return seq


@given(LIMITS, st.lists(st.tuples(KEYS, st.integers(0, 30)), max_size=60))
def test_while_the_clock_runs_the_table_is_a_dict_with_deadlines(
    limits: tuple[int, int, int], uses: list[tuple[Key, int]]
) -> None:
    dedupe_ms, most, share = limits
    table = DedupeTable(*limits)
    model: dict[Key, tuple[int, int]] = {}
    now = 0
    for seq, (key, pause) in enumerate(uses, 1):
        now += pause
        model = {other: (place, until) for other, (place, until) in model.items() if until > now}
        outcome = use(table, key, seq, now)
        of_scope = [until for (scope, _, _), (_, until) in model.items() if scope == key[0]]
        if key in model:
            assert outcome == model[key][0]
        elif len(model) >= most or len(of_scope) >= share:
            assert isinstance(outcome, SwarmwireError)
            assert (outcome.code, outcome.field) == (ErrorCode.UNAVAILABLE, "key")
            held = [until for _, until in model.values()] if len(model) >= most else of_scope
            assert outcome.retry_after_ms == max(1, min(held) - now if held else dedupe_ms)
        else:
            assert outcome == seq
            model[key] = (seq, now + dedupe_ms)
        assert len(table) == len(model)


@given(LIMITS, st.lists(st.tuples(KEYS, st.integers(-40, 30)), max_size=60))
def test_no_key_is_forgotten_sooner_however_the_clock_is_set(
    limits: tuple[int, int, int], uses: list[tuple[Key, int]]
) -> None:
    table = DedupeTable(*limits)
    places: dict[Key, tuple[int, int]] = {}
    now = latest = 0
    for seq, (key, step) in enumerate(uses, 1):
        now += step
        outcome = use(table, key, seq, now)
        latest = max(latest, now)
        place, until = places.get(key, (0, -1_000))
        if latest < until:  # at no moment since has a clock shown that it is over
            assert outcome == place
        elif outcome == seq:
            places[key] = (seq, now + limits[0])
        assert len(table) <= limits[1]


def test_the_clock_that_keys_are_kept_by_is_not_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.monotonic_ns()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert before // 1_000_000 <= monotonic_ms() <= time.monotonic_ns() // 1_000_000


def test_the_moment_after_dedupe_ms_is_the_first_without_the_key() -> None:
    table = DedupeTable(100, 10, 10)
    table.remember(("s", "a", "k"), 7, 1_000)
    assert table.find(("s", "a", "k"), 1_099) == 7
    assert table.find(("s", "a", "k"), 1_100) is None


def test_a_scope_is_told_when_its_own_oldest_key_goes() -> None:
    table = DedupeTable(100, 10, 1)
    table.remember(("other", "a", "k"), 1, 0)
    table.remember(("s", "a", "k"), 2, 60)
    with pytest.raises(SwarmwireError, match="subject's share") as caught:
        table.check_room(("s", "a", "k2"), 80)
    assert caught.value.retry_after_ms == 80
    table.check_room(("third", "a", "k"), 80)


def test_the_wait_that_is_told_is_true_where_an_earlier_key_stays_longer() -> None:
    table = DedupeTable(100, 10, 1)
    table.restore(("other", "a", "k"), 1, 1_100)
    table.remember(("s", "a", "k"), 2, 500)  # goes when the one before it goes
    with pytest.raises(SwarmwireError) as caught:
        table.check_room(("s", "a", "k2"), 550)
    assert caught.value.retry_after_ms == 550
    assert table.find(("s", "a", "k"), 1_099) == 2
    assert table.find(("s", "a", "k"), 1_100) is None
    table.check_room(("s", "a", "k2"), 1_100)


def test_a_key_that_is_restored_again_has_one_place_and_counts_once() -> None:
    table = DedupeTable(100, 10, 2)
    for seq, key in ((1, "k"), (2, "other"), (3, "k")):
        table.restore(("s", "a", key), seq, 100 + seq)
    assert (table.find(("s", "a", "k"), 102), len(table)) == (3, 1)
    assert table.forgotten == 2
    table.check_room(("s", "a", "new"), 102)


def test_a_table_that_remembers_nothing_any_more_takes_nothing() -> None:
    table = DedupeTable(100, 10, 10)
    for number in range(5):
        table.remember((f"s{number}", "a", "k"), number, 0)
    assert table.find(("s0", "a", "k"), 100) is None
    assert (len(table), table._untils) == (0, {})


def test_a_table_that_is_cleared_forgets_all_at_once_and_has_room() -> None:
    table = DedupeTable(1_000, 1, 1)
    table.remember(("s", "t", "k"), 5, now_ms=0)
    table.clear()
    assert (len(table), table.find(("s", "t", "k"), 0)) == (0, None)
    table.check_room(("s", "t", "l"), 0)
