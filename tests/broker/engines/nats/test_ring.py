"""The ring of what was heard: it gives what the log would give, or says that it cannot."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.nats.filters import FilterTree, Shape
from swarmwire_broker.engines.nats.ring import Ring
from swarmwire_broker.engines.nats.subjects import Filter, filters_of, tokens_of

from ..models import BROAD, check_page_limits, entry, naive_read, page_limits
from .rules import matches_filter, patterns, topics

EVERYTHING: tuple[Filter, ...] = ((">",),)


def hearing(published: list[str], *, most: int = 1_000, size: int = 1_000_000) -> Ring:
    """A ring that has heard everything."""
    ring = Ring(most, size)
    ring.hear(EVERYTHING)
    for seq, topic in enumerate(published, 1):
        ring.append(entry(seq, topic))
    return ring


def seqs(ring: Ring, pattern: str, after: int = 0) -> list[int] | None:
    page = ring.read(Matcher([pattern]), after, BROAD)
    return None if page is None else [one.seq for one in page.entries]


def test_what_was_not_heard_cannot_be_read() -> None:
    ring = Ring(10, 10_000)
    ring.renew(4)
    ring.hear([("a", "*")])
    ring.append(entry(6, "a.b"))
    ring.advance(9)
    assert seqs(ring, "a.b", 4) == [6]
    assert seqs(ring, "a.b", 3) is None
    assert seqs(ring, "b", 4) is None
    page = ring.read(Matcher(["a.*"]), 4, BROAD)
    assert page is not None
    assert page.upto == 9


def test_what_was_published_before_its_filter_was_heard_cannot_be_read() -> None:
    ring = hearing([])
    ring.hear([("b",)])
    ring.append(entry(1, "b"))
    ring.advance(3)  # something that nobody wanted
    ring.hear([("a",), ("b",)])
    ring.append(entry(4, "a"))
    assert seqs(ring, "a", 2) is None
    assert seqs(ring, "a", 3) == [4]
    assert seqs(ring, "b", 0) == [1]


def test_a_page_ends_at_the_head_even_if_the_log_has_let_go_what_lies_behind() -> None:
    ring = hearing(["a"] * 3)
    ring.evict_below(9)
    page = ring.read(Matcher(["a"]), 1, BROAD)
    assert page is not None
    assert (page.entries, page.upto) == ([], 3)


def test_at_the_head_there_is_nothing_to_read_whatever_is_asked() -> None:
    ring = hearing(["a", "b"])
    ring.hear([("a",)])
    page = ring.read(Matcher(["b"]), 2, BROAD)
    assert page is not None
    assert (page.entries, page.upto) == ([], 2)


def test_what_was_let_go_cannot_be_read() -> None:
    ring = hearing(["a"] * 10, most=4)
    assert len(ring) == 4
    assert seqs(ring, "a", 5) is None
    assert seqs(ring, "a", 6) == [7, 8, 9, 10]
    assert seqs(ring, "b", 5) is None


def test_what_the_log_itself_holds_no_longer_is_not_missed() -> None:
    ring = hearing(["a"] * 10, most=4)
    ring.evict_below(7)
    assert seqs(ring, "a", 0) == [7, 8, 9, 10]
    ring.evict_below(9)
    assert seqs(ring, "a", 0) == [9, 10]
    ring.evict_below(20)
    assert seqs(ring, "a", 0) == []
    assert len(ring) == 0


def test_a_ring_that_begins_anew_holds_nothing_and_hears_nothing() -> None:
    ring = hearing(["a"] * 10)
    ring.evict_below(3)
    ring.renew()
    assert (ring.head, ring.oldest, ring.bytes, len(ring)) == (0, 1, 0, 0)
    ring.hear(EVERYTHING)
    ring.append(entry(1, "b"))
    assert seqs(ring, "#") == [1]


def test_what_was_skipped_cannot_be_read() -> None:
    ring = hearing(["a"] * 10)
    ring.skip(20)
    assert (len(ring), ring.bytes) == (0, 0)
    ring.append(entry(21, "a"))
    assert seqs(ring, "a", 9) is None
    assert seqs(ring, "a", 19) is None
    assert seqs(ring, "a", 20) == [21]
    ring.skip(5)
    assert (ring.head, seqs(ring, "a", 20)) == (21, [21])


def test_the_head_never_goes_back() -> None:
    ring = hearing(["a"] * 3)
    ring.advance(2)
    assert ring.head == 3


def test_what_the_events_take_stays_within_the_bytes() -> None:
    ring = Ring(1_000, 5_000)
    ring.hear(EVERYTHING)
    for seq in range(1, 100):
        ring.append(entry(seq, f"t{seq}", size=seq * 20))
        assert ring.bytes <= 5_000
    assert len(ring) == 2


def test_an_event_larger_than_the_ring_leaves_it_empty() -> None:
    ring = Ring(1_000, 1_000)
    ring.hear(EVERYTHING)
    ring.append(entry(1, "a"))
    ring.append(entry(2, "a", size=5_000))
    assert (len(ring), ring.bytes, seqs(ring, "a", 1), seqs(ring, "a", 2)) == (0, 0, None, [])


events = st.lists(st.tuples(topics, st.integers(1, 3)), max_size=60)
"""Topics, and by how much each place is higher than the one before."""


@given(events, st.integers(1, 60), st.lists(patterns | topics, min_size=1, max_size=3), page_limits, st.integers(0, 90))
def test_pages_of_any_size_give_what_matches(
    published: list[tuple[str, int]], most: int, wanted: list[str], limit: PageLimit, after: int
) -> None:
    ring = Ring(most, 1_000_000)
    ring.hear(EVERYTHING)
    log: list[Entry] = []
    seq = 0
    for topic, step in published:
        seq += step
        log.append(entry(seq, topic))
        ring.append(log[-1])
    expected = naive_read(log, wanted, after)
    matcher = Matcher(wanted)
    found: list[int] = []
    place = after
    while place < ring.head:
        page = ring.read(matcher, place, limit)
        if page is None:
            assert len(log) > most
            return
        assert place < page.upto <= ring.head
        assert len(page.entries) <= page.scanned <= limit.scan
        check_page_limits(page.entries, limit)
        found += [one.seq for one in page.entries]
        place = page.upto
    assert found == expected


few_topics = st.sampled_from(["a", "b", "a.b"])
few_patterns = few_topics | st.sampled_from(["a.*", "a.#", "*", "#"])

hearings = st.lists(
    st.one_of(
        few_topics,
        st.lists(few_patterns, max_size=3),
        st.tuples(st.sampled_from(["evict", "skip"]), st.integers(1, 80)),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(hearings, st.integers(1, 5), st.integers(3, 40), few_patterns, st.integers(0, 60))
def test_it_answers_only_with_what_the_log_itself_would(
    steps: list[str | list[str] | tuple[str, int]], limit: int, most: int, asked: str, after: int
) -> None:
    ring = Ring(most, 1_000_000)
    log: list[Entry] = []
    oldest = 1
    filters: tuple[Filter, ...] = ()
    for step in steps:
        match step:
            case str():
                log.append(entry(len(log) + 1, step))
                if any(matches_filter(one, tokens_of(step)) for one in filters):
                    ring.append(log[-1])
                else:
                    ring.advance(len(log))
            case list():
                filters = FilterTree(f for pattern in step for f in filters_of(pattern)).cover(limit, Shape(9, 9))
                ring.hear(filters)
            case ("skip", more):
                log += [entry(len(log) + 1 + number, "a") for number in range(more % 5)]
                ring.skip(len(log))
            case (_, lowest):
                oldest = max(oldest, min(lowest, len(log) + 1))
                ring.evict_below(oldest)
        page = ring.read(Matcher([asked]), after, BROAD)
        if page is not None and after < len(log):
            assert [one.seq for one in page.entries] == naive_read(log[oldest - 1 :], [asked], after)
            assert page.upto >= min(len(log), max(after, oldest - 1))


@pytest.mark.parametrize("pattern", ["t7", "t7.#", "*.x"])
def test_a_narrow_pattern_costs_what_it_matches(pattern: str) -> None:
    ring = hearing(["t7"] + [f"t{number % 500 + 10}" for number in range(20_000)] + ["t7"], most=30_000, size=10**8)
    page = ring.read(Matcher([pattern]), 0, PageLimit(100, 100_000, 1_000))
    assert page is not None
    assert page.upto == ring.head
    assert page.scanned <= 10
    assert [one.seq for one in page.entries] == ([1, 20_002] if pattern != "*.x" else [])


def test_a_page_by_the_index_ends_where_its_limit_does() -> None:
    ring = hearing(["t7", *["x"] * 2_000, "t7"], most=3_000)
    page = ring.read(Matcher(["t7"]), 0, PageLimit(1, 100_000, 1_000))
    assert page is not None
    assert ([one.seq for one in page.entries], page.upto) == ([1], 2_001)


def test_a_hundred_thousand_topics_are_cheap() -> None:
    ring = Ring(50_000, 10**9)
    ring.hear([("agent", "*", "status")])
    begin = perf_counter()
    for seq in range(1, 100_001):
        ring.append(entry(seq, f"agent.a{seq}.status"))
    for number in range(60_000, 61_000):
        assert seqs(ring, f"agent.a{number}.status", 50_000) == [number]
    assert perf_counter() - begin < 10.0
    assert len(ring) == 50_000
