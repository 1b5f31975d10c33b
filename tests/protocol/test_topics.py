from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import (
    MAX_SEGMENTS,
    MAX_TOPIC_BYTES,
    check_pattern,
    check_topic,
    decode_segment,
    encode_segment,
    is_literal,
    is_reserved,
    matches,
)

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/topics.json").read_text())


def named(cases: list[dict[str, Any]], *names: str) -> list[Any]:
    return [pytest.param(case, id=ascii(" ".join(str(case[name]) for name in names))[:80]) for case in cases]


def passes(check: Callable[[str], object], text: str) -> bool:
    """Whether the text is accepted; anything but INVALID_TOPIC is raised on."""
    try:
        check(text)
    except SwarmwireError as error:
        if error.code is not ErrorCode.INVALID_TOPIC:
            raise
        return False
    return True


def is_topic(text: str) -> bool:
    return passes(check_topic, text)


def is_pattern(text: str) -> bool:
    return passes(check_pattern, text)


def naive_matches(pattern: list[str], topic: list[str]) -> bool:
    if not pattern:
        return not topic
    if pattern[0] == "#":
        return naive_matches(pattern[1:], topic) or (bool(topic) and naive_matches(pattern, topic[1:]))
    return bool(topic) and pattern[0] in ("*", topic[0]) and naive_matches(pattern[1:], topic[1:])


def naive_answer(pattern: str, topic: str) -> bool:
    reserved = topic.startswith("$") and pattern.split(".")[0] in ("*", "#")
    return not reserved and naive_matches(pattern.split("."), topic.split("."))


# ---- Grammar


@pytest.mark.parametrize("case", named(VECTORS["topics"], "topic"))
def test_the_vectors_say_what_is_a_topic(case: dict[str, Any]) -> None:
    assert is_topic(case["topic"]) is case["valid"]


@pytest.mark.parametrize("case", named(VECTORS["patterns"], "pattern"))
def test_the_vectors_say_what_is_a_pattern(case: dict[str, Any]) -> None:
    assert is_pattern(case["pattern"]) is case["valid"]


def test_white_space_and_control_characters_are_refused_and_every_other_character_passes() -> None:
    good = []
    for char in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(char)
        if char.isspace() or category in ("Cc", "Cs"):
            assert not is_topic(f"a{char}")
            assert not is_pattern(f"*.{char}b")
        elif char != ".":
            good.append(char)
    for start in range(0, len(good), 100):
        check_topic("a" + "".join(good[start : start + 100]))


@pytest.mark.parametrize("char", ["a", "é", "中", "🐝"])
def test_the_limit_counts_bytes_and_exactly_the_limit_passes(char: str) -> None:
    fitting = char * (MAX_TOPIC_BYTES // len(char.encode()))
    fitting += "x" * (MAX_TOPIC_BYTES - len(fitting.encode()))
    assert is_topic(fitting)
    assert is_pattern(fitting)
    assert not is_topic(fitting + "x")
    assert not is_pattern(fitting + "x")


@pytest.mark.parametrize("segment", ["a", "é"])
def test_the_limit_of_segments_passes_and_one_more_does_not(segment: str) -> None:
    assert is_topic(".".join([segment] * MAX_SEGMENTS))
    assert not is_topic(".".join([segment] * (MAX_SEGMENTS + 1)))


@pytest.mark.parametrize(
    ("topic", "sentence"),
    [
        ("", "A topic has 1 to 32 segments; this one is empty."),
        ("a..b", "A topic has no empty segments; segment 2 of 3 is empty."),
        ("a.*", "A topic has no wildcards; this one has the segment *."),
        ("a b", "A topic has no white space and no control characters; this one has U+0020 at character 2."),
        ("\ud800", "A topic is valid Unicode; this one has the lone surrogate U+D800 at character 1."),
        ("x" * 513, "A topic has at most 512 bytes; this one has 513 characters."),
        ("é" * 257, "A topic has at most 512 bytes; this one has 514."),
        (".".join("x" * 33), "A topic has at most 32 segments; this one has 33."),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(topic: str, sentence: str) -> None:
    with pytest.raises(SwarmwireError) as caught:
        check_topic(topic)
    assert caught.value.code is ErrorCode.INVALID_TOPIC
    assert caught.value.message == sentence
    assert caught.value.field is None


def test_a_refused_pattern_is_called_a_pattern() -> None:
    with pytest.raises(SwarmwireError, match="A pattern has no empty segments"):
        check_pattern("a.")


@pytest.mark.parametrize(
    ("text", "reserved"),
    [("$sys.x", True), ("$", True), ("$sys.#", True), ("a.$sys", False), ("*.$sys", False), ("#", False)],
)
def test_only_a_dollar_at_the_beginning_reserves(text: str, reserved: bool) -> None:
    assert is_reserved(text) is reserved


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("a.b", True),
        ("a*.#b", True),
        ("##", True),
        ("*", False),
        ("a.#", False),
        ("#.a", False),
        ("a.*.b", False),
    ],
)
def test_a_pattern_is_literal_without_whole_wildcard_segments(pattern: str, literal: bool) -> None:
    assert is_literal(pattern) is literal


# ---- Matching


@pytest.mark.parametrize("case", named(VECTORS["matching"], "pattern", "topic"))
def test_the_vectors_say_what_matches(case: dict[str, Any]) -> None:
    assert matches(case["pattern"], case["topic"]) is case["matches"]


def test_the_matching_vectors_are_valid_patterns_and_topics() -> None:
    for case in VECTORS["matching"]:
        check_pattern(case["pattern"])
        check_topic(case["topic"])


def test_matching_is_the_naive_model_for_every_short_pattern_and_topic() -> None:
    topics = [".".join(t) for size in range(1, 5) for t in product(["a", "b", "$s"], repeat=size)]
    for size in range(1, 5):
        for segments in product(["a", "$s", "*", "#"], repeat=size):
            pattern = ".".join(segments)
            for topic in topics:
                assert matches(pattern, topic) is naive_answer(pattern, topic), (pattern, topic)


@given(
    st.lists(st.sampled_from(["a", "b", "*", "#", "#"]), min_size=1, max_size=9).map(".".join),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=9).map(".".join),
)
def test_matching_is_the_naive_model_for_longer_ones(pattern: str, topic: str) -> None:
    assert matches(pattern, topic) is naive_answer(pattern, topic)


@given(st.text(min_size=1, max_size=40).filter(is_topic))
def test_every_topic_is_a_pattern_that_matches_itself(topic: str) -> None:
    check_pattern(topic)
    assert is_literal(topic)
    assert matches(topic, topic)


# ---- Segments


@pytest.mark.parametrize("case", named(VECTORS["segments"], "text", "segment"))
def test_the_vectors_say_how_a_text_becomes_a_segment_and_back(case: dict[str, Any]) -> None:
    text, segment = case["text"], case["segment"]
    if text is not None and segment is not None:
        assert encode_segment(text) == segment
        assert decode_segment(segment) == text
        return
    if text is not None:
        assert not passes(encode_segment, text)
    else:
        assert not passes(decode_segment, segment)


@given(st.text(min_size=1, max_size=40) | st.text("$.%*# a\n\x85é", min_size=1, max_size=6))
def test_any_text_becomes_one_segment_that_is_not_reserved_and_comes_back(text: str) -> None:
    segment = encode_segment(text)
    check_topic(segment)
    assert "." not in segment
    assert not is_reserved(segment)
    assert decode_segment(segment) == text


@given(st.text("a$.%*# 204E", min_size=1, max_size=8))
def test_what_can_be_decoded_is_exactly_what_is_encoded(segment: str) -> None:
    if passes(decode_segment, segment):
        assert encode_segment(decode_segment(segment)) == segment
