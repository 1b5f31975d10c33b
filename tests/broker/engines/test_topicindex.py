"""The trie of topics finds by pattern what asking each topic would find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.topicindex import TopicIndex
from swarmwire_protocol.topics import matches

from .models import patterns, topics


def index_of(*topics: str) -> TopicIndex:
    index = TopicIndex()
    for topic in topics:
        index.add(topic)
    return index


def found(index: TopicIndex, pattern: str) -> list[str]:
    topics = index.find(pattern)
    assert topics is not None
    return sorted(topics)


@given(st.lists(st.tuples(topics, st.booleans()), max_size=60), st.lists(patterns, min_size=1, max_size=5))
def test_after_any_changes_a_pattern_finds_what_it_matches(changes: list[tuple[str, bool]], asked: list[str]) -> None:
    index, model = TopicIndex(), set[str]()
    for topic, is_there in changes:
        (index.add if is_there else index.remove)(topic)
        (model.add if is_there else model.discard)(topic)
        assert bool(index) is bool(model)
    for pattern in asked:
        assert found(index, pattern) == sorted(topic for topic in model if matches(pattern, topic))


@given(st.lists(topics, max_size=40), patterns, st.integers(0, 20), st.integers(0, 60))
def test_a_limit_gives_everything_or_nothing(there: list[str], pattern: str, most: int, steps: int) -> None:
    index = index_of(*there)
    everything = found(index, pattern)
    few = index.find(pattern, most=most)
    assert (few is None) is (len(everything) > most)
    assert few is None or sorted(few) == everything
    cheap = index.find(pattern, steps=steps)
    assert cheap is None or sorted(cheap) == everything


@given(st.lists(topics, max_size=40))
def test_what_was_all_removed_leaves_nothing(there: list[str]) -> None:
    index = index_of(*there)
    for topic in reversed(there):
        index.remove(topic)
    assert not index
    assert index._root == {}


@pytest.mark.parametrize(
    ("there", "pattern", "expected"),
    [
        (["a", "a.b", "a.b.c"], "a.#", ["a", "a.b", "a.b.c"]),
        (["a", "a.b", "a.b.c"], "a.*", ["a.b"]),
        (["b", "a.b", "a.c"], "#.b", ["a.b", "b"]),
        (["a.b", "a.x.b", "a.x.y.b"], "a.#.#.b", ["a.b", "a.x.b", "a.x.y.b"]),
        (["$sys", "$sys.a", "a"], "#", ["a"]),
        (["$sys", "$sys.a", "a"], "#.$sys", []),
        (["$sys", "$sys.a", "a.$sys"], "$sys.#", ["$sys", "$sys.a"]),
        (["$sys.a", "a.$sys"], "*.$sys", ["a.$sys"]),
    ],
)
def test_wildcards(there: list[str], pattern: str, expected: list[str]) -> None:
    assert found(index_of(*there), pattern) == expected


def test_topics_part_where_they_differ_and_however_deep_that_is() -> None:
    deep = ".".join(["a"] * 30)
    index = index_of(f"{deep}.x", f"{deep}.y", deep, "a.a", f"{deep}.x")
    assert found(index, f"{deep}.*") == [f"{deep}.x", f"{deep}.y"]
    assert found(index, "#.a") == ["a.a", deep]
    assert len(found(index, "#")) == 4


def test_a_topic_that_has_its_first_segment_for_itself_takes_one_entry() -> None:
    index = index_of("a.b.c.d", "b")
    assert index._root == {"a": "a.b.c.d", "b": "b"}


def test_a_topic_may_come_with_its_segments() -> None:
    index = index_of("a.b.d")
    index.add("a.b.c", ["a", "b", "c"])
    assert found(index, "a.*.c") == ["a.b.c"]


def test_many_wildcards_for_any_number_do_not_explode() -> None:
    index = index_of(".".join(["a"] * 32), *(f"a.b{number}" for number in range(100)))
    pattern = ".".join(["#", "a"] * 15 + ["#", "z"])
    assert index.find(pattern) == []


def test_a_search_gives_up_before_it_has_walked_a_wide_branch() -> None:
    index = index_of(*(f"a.t{number}.b" for number in range(10_000)))
    assert index.find("a.*.rare", steps=1_000) is None
    assert index.find("a.t7.*", steps=10) == ["a.t7.b"]


def test_clearing_leaves_nothing() -> None:
    index = index_of("a", "a.b")
    index.clear()
    assert not index
    assert index.find("#") == []
