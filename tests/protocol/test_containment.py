from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_protocol.topics import check_pattern, contains, matches

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/containment.json").read_text())

FRESH = "z"  # a segment that no pattern here names


def sequences(alphabet: list[str], longest: int) -> list[str]:
    return [".".join(s) for size in range(1, longest + 1) for s in product(alphabet, repeat=size)]


def naive_contains(outer: str, inner: str) -> bool:
    """Looks for a counterexample among the topics that decide it.

    For `*` the fresh segment is enough: where outer takes it, it does so by a wildcard. For `#` as many fresh
    ones as outer has `*`, and one more, are enough: a longer run of them can only be taken by a `#` of outer
    (with any number of its `*`), and then every longer run is taken with the same rest of outer left over.
    """
    most = outer.split(".").count("*") + 1
    return all(matches(outer, topic) for topic in expansions(inner, most) if matches(inner, topic))


def expansions(pattern: str, most: int) -> Iterator[str]:
    runs = [[FRESH] * count for count in range(most + 1)]
    choices = {"*": [[FRESH]], "#": runs}
    for parts in product(*(choices.get(segment, [[segment]]) for segment in pattern.split("."))):
        if topic := ".".join(chain.from_iterable(parts)):
            yield topic


@pytest.mark.parametrize("case", [pytest.param(case, id=ascii(f"{case['outer']} {case['inner']}")) for case in VECTORS])
def test_the_vectors_say_what_contains_what(case: dict[str, Any]) -> None:
    check_pattern(case["outer"])
    check_pattern(case["inner"])
    assert contains(case["outer"], case["inner"]) is case["contains"]


def test_containment_is_exact_for_every_pair_of_short_patterns() -> None:
    # Topics of up to 5 segments decide patterns of up to 3, so this is complete. Let w be the shortest topic
    # that inner matches and outer does not:
    # - inner without `#`: w is as long as inner, at most 3 segments.
    # - inner with `#`, outer without: outer matches topics of one length only, and of inner's two shortest
    #   lengths, the second at most 4, one is another.
    # - both with `#`, outer with two `*`: outer matches all topics of 2 segments or more, but for the reserved
    #   ones, of which it matches none or all that begin as it does; so w has at most 2.
    # - both with `#`, outer with one `*` or none: a run of at most 2 fresh segments for each `#` of inner is
    #   enough (see naive_contains). Inner has two `#` beside 1 other segment, or one beside 2: at most 5.
    patterns = sequences(["a", "b", "$s", "*", "#"], 3)
    topics = sequences(["a", "b", "$s", FRESH], 5)
    languages = {p: sum(1 << n for n, topic in enumerate(topics) if matches(p, topic)) for p in patterns}
    for outer, inner in product(patterns, repeat=2):
        expected = not languages[inner] & ~languages[outer]
        assert contains(outer, inner) is expected, (outer, inner)


PATTERNS = (
    st.lists(st.sampled_from(["a", "b", "$s", "*", "*", "#", "#"]), min_size=1, max_size=6)
    .map(".".join)
    .filter(lambda pattern: pattern.split(".").count("#") <= 3)
)


@given(PATTERNS, PATTERNS)
@settings(max_examples=500, deadline=None)
def test_containment_is_the_naive_model_for_longer_patterns(outer: str, inner: str) -> None:
    assert contains(outer, inner) is naive_contains(outer, inner)


@given(PATTERNS, st.data())
@settings(max_examples=300, deadline=None)
def test_a_pattern_contains_what_is_made_of_it_by_narrowing(outer: str, data: st.DataObject) -> None:
    # Random pairs seldom contain one another; these often do.
    narrower = {"*": ["a", "*"], "#": ["#", "*", "a", "*.#", "#.a", "b.#.b"]}
    options = [st.sampled_from(narrower.get(segment, [segment])) for segment in outer.split(".")]
    inner = ".".join(data.draw(st.tuples(*options)))
    assert contains(outer, inner)
    assert contains(inner, outer) is naive_contains(inner, outer)


@given(PATTERNS)
def test_every_pattern_contains_itself(pattern: str) -> None:
    assert contains(pattern, pattern)


def entangled(stars: int, pairs: int) -> tuple[str, str]:
    """An outer for which it matters which of the last segments were `a`, an inner with every mixture of them."""
    outer = ["#", "a", *["*"] * stars]
    return ".".join(outer), ".".join([*["#", "a"] * pairs, *outer])


def test_patterns_that_are_entangled_a_little_are_still_answered_exactly() -> None:
    assert contains(*entangled(6, 6))


def test_patterns_too_entangled_are_answered_with_no_the_safe_side() -> None:
    outer, inner = entangled(12, 8)
    check_pattern(outer)
    check_pattern(inner)
    assert not contains(outer, inner)


def test_what_entangles_before_a_hash_that_is_reached_makes_no_difference() -> None:
    outer, inner = entangled(12, 8)
    assert contains(f"{outer}.#", f"a.{'*.' * 12}{inner}")


def test_the_longest_patterns_are_answered_though_they_are_all_wildcards() -> None:
    assert contains(".".join(["#", "*"] * 16), ".".join(["*", "#"] * 16))
    assert not contains(".".join(["#", "*"] * 16), ".".join(["#", "*"] * 15))
