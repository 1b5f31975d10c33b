"""The tree of patterns gives the nodes of those that match, each once, at a bounded cost."""

from __future__ import annotations

import sys
from types import FrameType, FunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines import patterntree
from swarmwire_broker.engines.patterntree import Pattern, PatternNode, matching, plant, uproot
from swarmwire_protocol.topics import matches

from .models import patterns, topics


def is_bare(root: PatternNode) -> bool:
    return root.below is None and root.one is None and root.many is None and not root.text


@given(st.lists(patterns, max_size=12), topics)
def test_the_nodes_are_those_of_the_patterns_that_match(planted: list[str], topic: str) -> None:
    root = PatternNode()
    for pattern in planted:
        assert plant(root, pattern).text == pattern
    found = [node.text for node in matching(root, topic.split("."))]
    assert sorted(found) == sorted(pattern for pattern in set(planted) if matches(pattern, topic))


@given(st.lists(st.tuples(patterns, st.booleans()), max_size=30), st.lists(topics, min_size=1, max_size=4))
def test_whatever_is_planted_and_uprooted_nodes_keep_their_pattern(
    changes: list[tuple[str, bool]], asked: list[str]
) -> None:
    root = PatternNode()
    nodes: dict[str, PatternNode] = {}
    for pattern, is_there in changes:
        if is_there:
            assert nodes.setdefault(pattern, plant(root, pattern)) is plant(root, pattern)
        elif nodes.pop(pattern, None) is not None:
            uproot(root, pattern)
        for topic in asked:
            found = {node.text: node for node in matching(root, topic.split("."))}
            assert found == {text: node for text, node in nodes.items() if matches(text, topic)}
    for pattern in nodes:
        uproot(root, pattern)
    assert is_bare(root)


def test_planting_a_pattern_again_gives_the_same_node() -> None:
    root = PatternNode()
    deep = plant(root, "a.*.b.c")
    assert plant(root, "a.*.b.d") is not deep
    assert plant(root, "a.*.b") is not deep
    assert plant(root, "a.*.b.c") is deep
    assert [node.text for node in matching(root, ["a", "x", "b", "c"])] == ["a.*.b.c"]


@pytest.mark.parametrize("pattern", ["a", "a.b.c", "a.b.d.e", "x", "a.*", "a.b.#", "#"])
def test_only_what_was_planted_can_be_uprooted(pattern: str) -> None:
    root = PatternNode()
    plant(root, "a.b.d")
    with pytest.raises(KeyError):
        uproot(root, pattern)
    uproot(root, "a.b.d")
    assert is_bare(root)


def test_a_pattern_that_goes_its_way_alone_takes_one_node() -> None:
    root = PatternNode()
    node = plant(root, "a.*.c.d")
    assert root.below == {"a": node}
    assert node.rest == ("*", "c", "d")


def test_a_pattern_has_nobody_until_it_is_given_somebody() -> None:
    pattern = Pattern("a")
    assert (pattern.text, pattern.holders, pattern.wanted, pattern.changed) == ("a", None, 0, 0)


@pytest.mark.skipif(not isinstance(matching, FunctionType), reason="compiled functions are not seen by the profiler")
@pytest.mark.parametrize("unit", [["#"], ["#", "a"], ["#", "*"], ["#", "a", "a"]])
def test_wildcards_for_any_number_look_at_few_places(unit: list[str]) -> None:
    root = PatternNode()
    segments = (unit * 30)[:31]
    plant(root, ".".join([*segments, "z"]))
    plant(root, ".".join([*segments, "#", "y"]))
    looks = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal looks
        looks += event == "call" and frame.f_code.co_filename == patterntree.__file__

    sys.setprofile(count)
    try:
        assert matching(root, ["a"] * 32) == []
    finally:
        sys.setprofile(None)
    # A few calls at each place: nodes x segments.
    assert 32 < looks <= 3 * 34 * 33
