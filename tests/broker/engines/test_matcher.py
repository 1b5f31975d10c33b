"""A matcher answers as its patterns do, however often and about however many topics it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.matcher import Matcher

from .models import matches_any, patterns, topics


@given(st.lists(patterns, max_size=8), st.lists(topics, max_size=30))
def test_a_topic_matches_if_any_of_the_patterns_does(wanted: list[str], asked: list[str]) -> None:
    matcher = Matcher(wanted)
    for topic in asked + asked:
        assert matcher(topic) is matches_any(wanted, topic)


def test_a_matcher_tells_topics_from_patterns_and_counts_each_once() -> None:
    matcher = Matcher(["a.b", "a.*", "a.b", "#", "a*", "a.*"])
    assert (matcher.literals, matcher.wildcards) == (("a.b", "a*"), ("a.*", "#"))


def test_no_pattern_matches_nothing() -> None:
    assert not Matcher([])("a")


def test_what_a_matcher_remembers_is_bounded() -> None:
    matcher = Matcher(["t7.#", "*.x"])
    for number in range(10_000):
        assert matcher(f"t{number}") is (number == 7)
    assert len(matcher._known) <= 4_096


@pytest.mark.parametrize("pattern", ["#", "*", "#.$sys", "*.a"])
def test_a_wildcard_in_first_place_matches_nothing_reserved(pattern: str) -> None:
    matcher = Matcher([pattern])
    assert not matcher("$sys")
    assert not matcher("$sys.a")
