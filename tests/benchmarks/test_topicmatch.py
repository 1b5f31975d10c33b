"""The patterns of the topic-match bench are what its table says."""

from __future__ import annotations

from benchmarks.runner.topicmatch import PATTERNS, Holder, patterns, topics

from swarmwire_broker.core.router import Router
from swarmwire_protocol.topics import matches


def test_there_are_a_hundred_thousand_different_patterns_with_wildcards() -> None:
    made = patterns()
    assert len(set(made)) == len(made) == PATTERNS
    assert all({"*", "#"} & set(pattern.split(".")) for pattern in made)


def test_no_topic_is_matched_by_more_than_ten_and_the_router_finds_them_all() -> None:
    made, router = patterns(), Router(max_topics=10)
    for pattern in made:
        router.add(pattern, Holder())
    for topic in (topics()[0], topics()[-1]):
        expected = [pattern for pattern in made if matches(pattern, topic)]
        assert 1 <= len(expected) <= 10
        assert len(router.route(topic).shared) == len(expected)
