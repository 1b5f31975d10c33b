"""Patterns in SQLite's words let through every topic that matches."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.sqlitepatterns import glob, like, topic_range
from swarmwire_protocol.topics import is_literal, matches

from .models import patterns, topics

_SQLITE = sqlite3.connect(":memory:")

odd = st.lists(st.sampled_from(["a", "[", "]", "a*", "?", "[a]", "x#", "\U0010ffff", "\ud7ff"]), min_size=1, max_size=3)
odd_topics = odd.map(".".join)
odd_patterns = st.lists(st.sampled_from(["*", "#", "a", "[", "a*", "?", "[a]", "\ud7ff"]), min_size=1, max_size=4)


def says(condition: str, *values: object) -> bool:
    return bool(_SQLITE.execute(f"SELECT {condition}", values).fetchone()[0])


@given(patterns | odd_patterns.map(".".join), topics | odd_topics)
def test_glob_lets_through_what_matches(pattern: str, topic: str) -> None:
    if matches(pattern, topic):
        assert says("?1 GLOB ?2", topic, glob(pattern))


@given((patterns | odd_patterns.map(".".join)).filter(lambda pattern: not is_literal(pattern)), topics | odd_topics)
def test_what_matches_lies_in_the_range_of_the_pattern(pattern: str, topic: str) -> None:
    if matches(pattern, topic):
        lower, upper = topic_range(pattern)
        assert says("?1 >= ?2 AND ?1 < ?3", topic, lower, upper)


@pytest.mark.parametrize(
    ("pattern", "topic"), [("a.*.c", "a.b.d"), ("a.#", "b"), ("[a].*", "a.b"), ("#.x", "a.y"), ("a*.b", "ab.b")]
)
def test_glob_saves_work(pattern: str, topic: str) -> None:
    assert not says("?1 GLOB ?2", topic, glob(pattern))


def test_a_range_is_as_narrow_as_the_beginning_of_the_pattern() -> None:
    assert topic_range("a.b.*.c") == ("a.b.", "a.b/")
    assert topic_range("a.b.#") == ("a.b", "a.c")
    assert topic_range("*.b") == ("", b"")


def test_a_condition_that_would_not_help_is_left_out() -> None:
    assert like(Matcher(["a.b", "#"])) == ("1", [])
    assert like(Matcher([f"a{number}.*" for number in range(20)])) == ("1", [])
    condition, values = like(Matcher(["a.b", "c.*"]))
    assert (condition, values) == ("topic GLOB ?5 OR topic GLOB ?6", ["a.b", "c.*"])
