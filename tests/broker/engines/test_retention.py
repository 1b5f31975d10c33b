"""Rules of retention: which rule is whose, and what readers are told of what is gone."""

from __future__ import annotations

import itertools

from hypothesis import given

from swarmwire_broker.engines.base import Evicted
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.retention import Floors, Kept, overlap, rule_of
from swarmwire_protocol.topics import matches

from .models import patterns

SEGMENTS = ["a", "b", "c", "a*", "$sys", "x"]
TOPICS = [".".join(one) for length in (1, 2, 3, 4) for one in itertools.product(SEGMENTS, repeat=length)]
short_patterns = patterns.filter(lambda pattern: pattern.count(".") < 3)


@given(short_patterns, short_patterns)
def test_patterns_overlap_if_a_topic_matches_both(one: str, other: str) -> None:
    both = any(matches(one, topic) and matches(other, topic) for topic in TOPICS)
    assert overlap(other, one) == overlap(one, other)
    if both:
        assert overlap(one, other)
    elif "#" not in f"{one}.{other}".split("."):
        assert not overlap(one, other)


def test_many_wildcards_are_compared_in_bounded_time() -> None:
    assert not overlap(".".join(["#", "a"] * 15 + ["b"]), ".".join(["#", "a"] * 15 + ["c"]))


def test_the_first_rule_that_matches_decides() -> None:
    rules = [("a.b.#", 2), ("a.#", 1)]
    assert [rule_of(rules, topic) for topic in ("a.b.c", "a.c", "b")] == [2, 1, 0]


def floors(since: int = 0, **changes: tuple[int, int]) -> Floors:
    """Default, `log` and `audit`, each with its floor and the events it holds."""
    stand = {"default": (0, 1), "log": (0, 1), "audit": (0, 1)} | changes
    names = {"default": (0, ""), "log": (1, "*.log"), "audit": (2, "audit.#")}
    rules = {number: Kept(pattern, *stand[name], 0) for name, (number, pattern) in names.items()}
    return Floors(rules, [("*.log", 1), ("audit.#", 2)], since)


def test_a_pattern_under_one_rule_has_lost_what_that_rule_let_go() -> None:
    stand = floors(log=(70, 5), default=(20, 9))
    assert stand.evicted(Matcher(["a.log"])).partly == 70
    assert stand.evicted(Matcher(["audit.x.y"])) == Evicted(0, 0)
    assert stand.evicted(Matcher(["a.b.c"])).partly == 20


def test_a_pattern_under_several_rules_has_lost_some_up_to_the_highest_floor() -> None:
    stand = floors(log=(70, 5), default=(20, 9), audit=(10, 3))
    assert stand.evicted(Matcher(["#"])) == Evicted(10, 70)
    assert stand.evicted(Matcher(["a.b", "x.log"])) == Evicted(20, 70)


def test_a_rule_that_holds_nothing_hides_no_loss_of_the_others() -> None:
    assert floors(log=(70, 0), default=(20, 0), audit=(0, 0)).evicted(Matcher(["#"])) == Evicted(70, 70)


def test_what_was_stored_under_other_rules_may_be_gone_by_these() -> None:
    stand = floors(since=30, default=(50, 9))
    assert stand.evicted(Matcher(["audit.x"])).partly == 30
    assert floors(since=30, default=(20, 9)).evicted(Matcher(["audit.x"])).partly == 20


def test_a_floor_never_falls() -> None:
    stand = floors(log=(70, 5))
    stand.raise_to({1: 90, 2: 5, 0: 0})
    stand.told({0: Kept("", 3, 1, 0), 1: Kept("*.log", 80, 4, 0), 2: Kept("audit.#", 0, 1, 0)})
    assert stand.evicted(Matcher(["a.log"])).partly == 90
    assert stand.evicted(Matcher(["audit.x"])).partly == 5
