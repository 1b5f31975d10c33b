"""The tree of patterns gives the nodes of those that match, each once, at a bounded cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.patterntree import PatternNode, matching, plant
from swarmwire_protocol.topics import matches

from .models import patterns, topics


@given(st.lists(patterns, max_size=12), topics)
def test_the_nodes_are_those_of_the_patterns_that_match(planted: list[str], topic: str) -> None:
    root = PatternNode()
    for pattern in planted:
        assert plant(root, pattern).pattern == pattern
    found = [node.pattern for node in matching(root, topic)]
    assert sorted(found) == sorted(pattern for pattern in set(planted) if matches(pattern, topic))


def test_planting_a_pattern_again_gives_the_same_node() -> None:
    root = PatternNode()
    assert plant(root, "a.*.#") is plant(root, "a.*.#")
    assert plant(root, "a.*") is root.below["a"].below["*"]


def test_thirty_wildcards_for_any_number_look_at_few_places() -> None:
    looks = 0

    class Counted(dict[str, PatternNode]):
        def get(self, segment: str, default: PatternNode | None = None) -> PatternNode | None:  # type: ignore[override]
            nonlocal looks
            looks += 1
            return super().get(segment, default)

    root = PatternNode()
    node = root
    for segment in [*["#"] * 30, "z"]:
        node.below = Counted()
        node.below[segment] = PatternNode()
        node = node.below[segment]
    node.pattern = "#." * 30 + "z"
    assert list(matching(root, ".".join(["a"] * 32))) == []
    assert looks <= 3 * 32 * 33  # three looks at each place: nodes x segments
