"""Topics and patterns as NATS has them."""

from __future__ import annotations

import pytest
from hypothesis import given

from swarmwire_broker.engines.nats.subjects import Subjects, filters_of, tokens_of
from swarmwire_protocol.topics import matches

from .rules import matches_filter, patterns, topics

SUBJECTS = Subjects(b"swarmwire.main.e.")


@given(topics, topics)
def test_every_topic_has_a_subject_of_its_own(topic: str, other: str) -> None:
    subject = SUBJECTS.subject(topic)
    assert SUBJECTS.topic(subject) == topic
    assert (SUBJECTS.subject(other) == subject) == (other == topic)


@given(topics)
def test_no_subject_has_a_wildcard(topic: str) -> None:
    tokens = SUBJECTS.subject(topic).decode().split(".")
    assert not any("*" in token or ">" in token for token in tokens)
    assert tuple(tokens[3:]) == tokens_of(topic)


@pytest.mark.parametrize(
    ("topic", "subject"),
    [("a.b", b"a.b"), (">", b"^2"), ("a.>>.b*", b"a.^2^2.b^1"), ("^.^1", b"^0.^01"), ("é", b"\xc3\xa9")],
)
def test_only_what_could_be_a_wildcard_is_escaped(topic: str, subject: bytes) -> None:
    assert SUBJECTS.subject(topic) == b"swarmwire.main.e." + subject


@pytest.mark.parametrize(
    "subject", [b"", b">", b"a.>", b"a..b", b"a.*", b"#", b"\xff", b"a b", b"^", b"a.^3", b"x" * 600]
)
def test_a_subject_that_no_topic_has_is_none(subject: bytes) -> None:
    assert SUBJECTS.topic(b"swarmwire.main.e." + subject) is None


def test_a_subject_of_another_log_is_no_topic() -> None:
    assert SUBJECTS.topic(b"swarmwire.other.e.a") is None


@given(patterns | topics, topics)
def test_what_a_pattern_matches_its_filters_match(pattern: str, topic: str) -> None:
    matched = any(matches_filter(one, tokens_of(topic)) for one in filters_of(pattern))
    assert matched or not matches(pattern, topic)


@given(patterns, topics)
def test_the_filters_match_nothing_else_but_for_a_wildcard_inside_or_a_reserved_topic(pattern: str, topic: str) -> None:
    if "#" not in pattern.rstrip(".#") and not topic.startswith("$"):
        assert any(matches_filter(one, tokens_of(topic)) for one in filters_of(pattern)) == matches(pattern, topic)


@pytest.mark.parametrize(
    ("pattern", "filters"),
    [
        ("a.b", [b"a.b"]),
        ("a.*", [b"a.*"]),
        ("a.#", [b"a", b"a.>"]),
        ("#", [b">"]),
        ("#.#", [b">"]),
        ("a.#.b", [b"a.>"]),
        ("#.b", [b">"]),
        (">.#.*", [b"^2.>"]),
    ],
)
def test_the_filters_of_a_pattern(pattern: str, filters: list[bytes]) -> None:
    assert [SUBJECTS.filter(one) for one in filters_of(pattern)] == [b"swarmwire.main.e." + one for one in filters]


@given(topics)
def test_nothing_matches_the_filter_for_nothing(topic: str) -> None:
    assert SUBJECTS.subject(topic) != SUBJECTS.nothing
    assert SUBJECTS.topic(SUBJECTS.nothing) is None
