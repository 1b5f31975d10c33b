"""What a broker wants to hear: counted, covered, broader under many changes and narrower again when it is calm."""

from __future__ import annotations

from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.nats.interest import Interest
from swarmwire_broker.engines.nats.subjects import Subjects, filters_of, tokens_of
from swarmwire_protocol.topics import matches

from .rules import matches_filter, patterns, topics

PREFIX = b"p."


class Steady:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


def new(limit: int = 128) -> tuple[Interest, Steady]:
    steady = Steady()
    return Interest(Subjects(PREFIX), limit=limit, steady_ms=steady), steady


def planned(interest: Interest) -> list[str]:
    return [one.removeprefix(PREFIX).decode() for one in interest.plan()]


def test_nothing_is_heard_until_something_is_wanted() -> None:
    interest, _ = new()
    assert not interest.covers("a")
    assert planned(interest) == []
    assert interest.want("a.*", True)
    assert not interest.covers("a.b")
    assert planned(interest) == ["a.*"]
    assert interest.covers("a.b")
    assert interest.filters == (("a", "*"),)


def test_a_pattern_that_is_covered_changes_nothing() -> None:
    interest, _ = new()
    interest.want("a.#", True)
    interest.plan()
    assert not interest.want("a.b", True)
    assert not interest.want("a.#", True)
    assert len(interest) == 2


def test_what_is_wanted_twice_is_wanted_until_both_are_gone() -> None:
    interest, steady = new()
    for pattern in ("a", "a", "b"):
        interest.want(pattern, True)
    interest.plan()
    interest.want("a", False)
    steady.ms += 60_000
    assert not interest.narrows()
    interest.want("a", False)
    assert interest.narrows()
    assert planned(interest) == ["b"]


def test_what_nobody_ever_wanted_can_be_released() -> None:
    interest, _ = new()
    assert not interest.want("a", False)
    assert len(interest) == 0


def test_filters_become_narrower_only_after_some_seconds_of_calm() -> None:
    interest, steady = new()
    interest.want("a", True)
    interest.want("b", True)
    interest.plan()
    interest.want("b", False)
    steady.ms += 4_000
    assert not interest.narrows()
    assert planned(interest) == ["a", "b"]
    steady.ms += 2_000
    assert interest.narrows()
    assert interest.narrows()
    assert planned(interest) == ["a"]
    steady.ms += 60_000
    assert not interest.narrows()


def test_what_is_wanted_again_before_the_filters_are_narrowed_stays() -> None:
    interest, steady = new()
    interest.want("a", True)
    interest.want("b", True)
    interest.plan()
    interest.want("b", False)
    steady.ms += 10_000
    assert interest.narrows()
    assert not interest.want("b", True)
    assert planned(interest) == ["a", "b"]


def test_the_last_one_gone_leaves_nothing_to_hear() -> None:
    interest, steady = new()
    interest.want("a", True)
    interest.plan()
    interest.want("a", False)
    steady.ms += 10_000
    assert interest.narrows()
    assert planned(interest) == []


def test_filters_become_broader_when_changes_come_often_and_narrower_again() -> None:
    interest, steady = new()
    plans = 0
    for number in range(200):
        steady.ms += 100
        if interest.want(f"agent.a{number}.status", True):
            interest.plan()
            plans += 1
    assert plans < 20
    assert planned(interest) == ["agent.*.status"]
    for number in range(1, 200):
        interest.want(f"agent.a{number}.status", False)
    for _ in range(100):
        steady.ms += 1_000
        if interest.narrows():
            interest.plan()
    assert planned(interest) == ["agent.a0.status"]


def test_changes_under_ever_new_first_segments_end_with_everything() -> None:
    interest, steady = new()
    plans = 0
    for number in range(200):
        steady.ms += 100
        if interest.want(f"t{number}.x", True):
            interest.plan()
            plans += 1
    assert plans < 30
    assert planned(interest) == [">"]


def test_changes_that_come_now_and_then_leave_the_filters_narrow() -> None:
    interest, steady = new()
    for number in range(50):
        steady.ms += 2_000
        assert interest.want(f"agent.a{number}.status", True)
        assert len(interest.plan()) == number + 1


def test_never_more_filters_than_the_limit() -> None:
    interest, steady = new(limit=4)
    for number in range(20):
        steady.ms += 10_000
        if interest.want(f"agent.a{number}.status", True):
            assert len(interest.plan()) <= 4
    assert interest.covers("agent.a7.status")


steps = st.lists(st.tuples(patterns | topics, st.booleans(), st.integers(0, 8_000)), max_size=30)


@given(steps, topics, st.integers(1, 6))
def test_what_is_wanted_is_always_covered_or_asked_for(
    changes: list[tuple[str, bool, int]], topic: str, limit: int
) -> None:
    interest, steady = new(limit)
    wanted: list[str] = []
    for pattern, is_wanted, pause in changes:
        steady.ms += pause
        if is_wanted:
            wanted.append(pattern)
        elif pattern in wanted:
            wanted.remove(pattern)
        if interest.want(pattern, is_wanted) or interest.narrows():
            assert len(interest.plan()) <= limit
        if any(matches(one, topic) for one in wanted):
            assert interest.covers(topic)
        assert all(any(matches_filter(f, tokens_of(one)) for f in interest.filters) for one in wanted if _is_plain(one))


def _is_plain(pattern: str) -> bool:
    return len(filters_of(pattern)) == 1 and not {"*", "#"} & set(pattern.split("."))


def test_ten_thousand_patterns_are_cheap() -> None:
    interest, _ = new()
    wanted = [f"agent.a{number}.{'status' if number % 2 else 'log'}" for number in range(10_000)]
    begin = perf_counter()
    for pattern in wanted:
        interest.want(pattern, True)
    interest.plan()
    for pattern in wanted:
        interest.want(pattern, False)
    assert perf_counter() - begin < 3.0
    assert interest.filters == (("agent", "*", "log"), ("agent", "*", "status"))
