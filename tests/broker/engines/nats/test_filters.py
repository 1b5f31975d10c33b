"""A cover of filters: all that is wanted, few filters, and no two that overlap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.nats.filters import MAX_DEPTH, FilterTree, Shape
from swarmwire_broker.engines.nats.subjects import Filter, filters_of, tokens_of

from .rules import matches_filter, overlap, patterns, topics

NARROW = Shape(1_000, 1_000)

shapes = st.builds(Shape, st.integers(1, 5), st.integers(1, 5), st.integers(0, 4)) | st.just(NARROW)
many_patterns = st.lists(patterns | topics, max_size=12)


def tree_of(*wanted: str) -> FilterTree:
    return FilterTree(one for pattern in wanted for one in filters_of(pattern))


def cover_of(*wanted: str, limit: int = 128, shape: Shape = NARROW) -> list[str]:
    return [".".join(one) for one in tree_of(*wanted).cover(limit, shape)]


@given(many_patterns, st.integers(1, 8), shapes)
def test_a_cover_has_no_two_filters_that_overlap_and_not_too_many(wanted: list[str], limit: int, shape: Shape) -> None:
    cover = tree_of(*wanted).cover(limit, shape)
    assert len(cover) <= limit
    assert not any(overlap(one, other) for one, other in itertools.combinations(cover, 2))


@given(many_patterns, st.integers(1, 8), shapes, topics)
def test_a_cover_matches_all_that_is_wanted(wanted: list[str], limit: int, shape: Shape, topic: str) -> None:
    tree = tree_of(*wanted)
    cover = tree.cover(limit, shape)
    if any(matches_filter(one, tokens_of(topic)) for one in tree):
        assert any(matches_filter(one, tokens_of(topic)) for one in cover)
    assert all(FilterTree(cover).covers(one) for one in tree)


@given(many_patterns, patterns | topics, topics)
def test_what_a_tree_covers_its_filters_match(held: list[str], asked: str, topic: str) -> None:
    tree = tree_of(*held)
    for one in filters_of(asked):
        if tree.covers(one) and matches_filter(one, tokens_of(topic)):
            assert any(matches_filter(other, tokens_of(topic)) for other in tree)


@given(many_patterns, topics)
def test_a_tree_covers_exactly_the_topics_that_its_filters_match(held: list[str], topic: str) -> None:
    tree = tree_of(*held)
    assert tree.covers(tokens_of(topic)) == any(matches_filter(one, tokens_of(topic)) for one in tree)


@given(st.lists(st.tuples(patterns | topics, st.booleans()), max_size=30))
def test_a_filter_is_there_as_long_as_it_was_put_in_more_often_than_taken_out(steps: list[tuple[str, bool]]) -> None:
    tree = FilterTree()
    held: list[Filter] = []
    for pattern, puts_in in steps:
        for one in filters_of(pattern):
            if puts_in:
                tree.add(one)
                held.append(one)
            elif one in held:
                tree.remove(one)
                held.remove(one)
    assert sorted(tree) == sorted(set(held))
    assert bool(tree) == bool(held)


def test_what_was_never_put_in_cannot_be_taken_out() -> None:
    with pytest.raises(KeyError):
        tree_of("a.b").remove(("a", "c"))


@pytest.mark.parametrize(
    ("wanted", "cover"),
    [
        (["a.b", "a.c"], ["a.b", "a.c"]),
        (["a.*", "a.b"], ["a.*"]),
        (["a.*.status", "a.b.log"], ["a.*.status", "a.b.log"]),
        (["a.*.status", "a.b.*"], ["a.*.*"]),
        (["a.*.status", "a.b.#"], ["a.>"]),
        (["a.#", "a.b.c"], ["a", "a.>"]),
        (["#", "a.b"], [">"]),
        (["a.*", "a.*.#"], ["a.>"]),
        (["*.b", "a.*"], ["*.*"]),
        ([], []),
    ],
)
def test_a_cover_is_as_narrow_as_filters_that_do_not_overlap_can_be(wanted: list[str], cover: list[str]) -> None:
    assert cover_of(*wanted) == cover


def test_over_the_limit_tokens_beside_each_other_become_one_wildcard() -> None:
    wanted = [f"agent.a{number}.status" for number in range(200)]
    assert cover_of(*wanted, "task.t1.log") == ["agent.*.status", "task.t1.log"]
    assert len(cover_of(*wanted[:128])) == 128


@pytest.mark.parametrize(
    ("wanted", "cover"),
    [
        (["a.b", "a.c"], ["a.*"]),
        (["a.b", "a.c.d.e"], ["a.>"]),
        (["a.b", "c.d"], ["*.*"]),
        (["a", "a.b", "a.b.c"], [">"]),
    ],
)
def test_one_filter_alone_is_what_they_have_in_common(wanted: list[str], cover: list[str]) -> None:
    assert cover_of(*wanted, limit=1) == cover


def test_a_coarse_shape_takes_in_what_lies_beside() -> None:
    wanted = ("agent.a1.status", "agent.a2.log", "task.t1.done")
    assert cover_of(*wanted, shape=Shape(9, 1)) == ["agent.*.*", "task.t1.done"]
    assert cover_of(*wanted, shape=Shape(9, 1, 1)) == ["agent.>", "task.>"]
    assert cover_of(*wanted, shape=Shape(9, 9, 0)) == [">"]


def test_entangled_patterns_cost_a_bounded_time_and_are_covered_coarsely() -> None:
    wanted = [f"a.*.c{number}.d" for number in range(3_000)] + [f"a.b{number}.*.e" for number in range(3_000)]
    cover = tree_of(*wanted).cover(10_000, Shape(10_000, 10_000))
    assert len(cover) <= 3_001
    assert FilterTree(cover).covers(("a", "b7", "x", "e"))


def test_patterns_as_long_as_they_may_be_are_covered() -> None:
    deep = ".".join("abcdefgh" * 4)
    assert len(deep.split(".")) == MAX_DEPTH
    assert cover_of(deep, "a.#", limit=2) == ["a", "a.>"]
    assert cover_of(deep, limit=1) == [deep]
