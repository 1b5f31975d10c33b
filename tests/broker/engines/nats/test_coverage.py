"""Since when a broker has heard what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.nats.coverage import Coverage
from swarmwire_broker.engines.nats.filters import FilterTree, Shape
from swarmwire_broker.engines.nats.subjects import Filter, filters_of, tokens_of
from swarmwire_protocol.topics import matches

from .rules import matches_filter, patterns, topics


def heard(*changes: tuple[int, str]) -> Coverage:
    coverage = Coverage()
    for after, filters in changes:
        coverage.change([tuple(one.split(".")) for one in filters.split()], after)
    return coverage


def since(coverage: Coverage, *wanted: str) -> int | None:
    return coverage.since(Matcher(wanted))


def test_nothing_is_heard_at_first() -> None:
    assert since(Coverage(), "a") is None


def test_a_pattern_is_heard_since_its_filter_is() -> None:
    coverage = heard((5, "a.*"))
    assert since(coverage, "a.b") == 5
    assert since(coverage, "a.*") == 5
    assert since(coverage, "a.#") is None
    assert since(coverage, "b") is None


def test_several_patterns_are_heard_since_the_last_of_them_is() -> None:
    coverage = heard((5, "a"), (9, "a b"))
    assert since(coverage, "a") == 5
    assert since(coverage, "a", "b") == 9
    assert since(coverage, "a", "c") is None


def test_a_broader_filter_does_not_forget_what_was_heard_before() -> None:
    coverage = heard((5, "a.b"), (9, "a.*"))
    assert since(coverage, "a.b") == 5
    assert since(coverage, "a.c") == 9


def test_a_narrower_filter_keeps_what_the_broader_one_heard() -> None:
    coverage = heard((5, "a.*"), (9, "a.b"))
    assert since(coverage, "a.b") == 5
    assert since(coverage, "a.c") is None


def test_what_was_not_heard_for_a_while_is_heard_since_it_is_again() -> None:
    coverage = heard((5, "a b"), (9, "b"), (12, "a b"))
    assert since(coverage, "a") == 12
    assert since(coverage, "b") == 5


def test_the_same_filters_again_change_nothing() -> None:
    assert since(heard((5, "a"), (9, "a")), "a") == 5


def test_nothing_is_heard_after_it_was_cleared() -> None:
    coverage = heard((5, "a"))
    assert since(coverage, "a") == 5
    coverage.clear()
    assert since(coverage, "a") is None


def test_many_changes_are_remembered_coarsely() -> None:
    changes = [(place, " ".join(f"t{number}" for number in range(place + 1))) for place in range(100)]
    coverage = heard(*changes)
    assert since(coverage, "t99") == 99
    assert since(coverage, "t95") == 95
    assert since(coverage, "t0") == since(coverage, "t80") == 84


changes = st.lists(st.lists(patterns | topics, max_size=4), max_size=25)


@given(changes, patterns | topics, topics, st.integers(1, 6))
def test_it_never_claims_more_than_was_heard(wanted: list[list[str]], asked: str, topic: str, limit: int) -> None:
    coverage = Coverage()
    history: list[tuple[Filter, ...]] = []
    for place, some in enumerate(wanted):
        filters = FilterTree(one for pattern in some for one in filters_of(pattern)).cover(limit, Shape(9, 9))
        coverage.change(filters, place)
        history.append(filters)
    claimed = coverage.since(Matcher([asked]))
    if claimed is not None and matches(asked, topic):
        for filters in history[claimed:]:
            assert any(matches_filter(one, tokens_of(topic)) for one in filters)


@pytest.mark.parametrize("pattern", ["a.b", "a.#", "*.b"])
def test_what_one_filter_has_heard_all_the_time_is_claimed(pattern: str) -> None:
    coverage = heard((0, ">"), (3, ">"), (7, ">"))
    assert since(coverage, pattern) == 0
