"""The ring with its index: read by the index or by walking, it gives the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_broker.engines.log import Log
from swarmwire_broker.engines.matcher import Matcher

from .models import BROAD, entry, naive_read, page_limits, pattern_sets, patterns, topics


def filled(published: list[str], max_events: int | None = None, head: int = 0) -> tuple[Log, list[Entry]]:
    """A log and what it should hold."""
    log = Log(max_events, None, None, head)
    entries = [entry(seq, topic, ts=seq) for seq, topic in enumerate(published, head + 1)]
    for one in entries:
        log.append(one)
    return log, entries[max(0, len(entries) - max_events) :] if max_events is not None else entries


def all_pages(log: Log, matcher: Matcher, after: int, limit: PageLimit) -> list[int]:
    found: list[int] = []
    while after < log.head:
        page = log.read(matcher, after, limit)
        assert page.upto > after
        assert page.scanned <= limit.scan
        found += [one.seq for one in page.entries]
        after = page.upto
    return found


@given(st.lists(topics, max_size=80), st.none() | st.integers(0, 60), st.integers(0, 1_000))
def test_a_log_holds_consecutive_events_up_to_its_head(published: list[str], most: int | None, head: int) -> None:
    log, held = filled(published, most, head)
    assert len(log) == len(held)
    assert (log.oldest, log.head) == (log.head + 1 - len(held), head + len(published))
    assert all_pages(log, Matcher(["#", "$sys.#"]), 0, BROAD) == [one.seq for one in held]


@given(st.lists(topics, max_size=80), st.none() | st.integers(0, 60), pattern_sets, page_limits, st.integers(0, 90))
def test_pages_of_any_size_give_what_matches(
    published: list[str], most: int | None, wanted: list[str], limit: PageLimit, after: int
) -> None:
    log, held = filled(published, most)
    assert all_pages(log, Matcher(wanted), after, limit) == naive_read(held, wanted, after)


@given(st.integers(1, 40), st.lists(topics, min_size=40, max_size=80), pattern_sets, st.integers(0, 90))
def test_a_page_by_the_index_is_the_page_by_walking(
    entries: int, published: list[str], wanted: list[str], after: int
) -> None:
    log, _ = filled(published, 60)
    walked = log.read(Matcher(wanted), after, PageLimit(entries, 10_000, len(published)))
    indexed = log.read(Matcher(wanted), after, PageLimit(entries, 10_000, 39))
    assert indexed.entries[: len(walked.entries)] == walked.entries[: len(indexed.entries)]
    assert indexed.scanned <= 39


def test_a_page_by_the_index_ends_at_the_head_when_nothing_more_matches() -> None:
    log, _ = filled(["a", *["b"] * 50, "a", *["b"] * 50])
    page = log.read(Matcher(["a"]), 0, PageLimit(10, 1_000, 20))
    assert ([one.seq for one in page.entries], page.upto, page.scanned) == ([1, 52], 102, 3)


@pytest.mark.parametrize("limit", [PageLimit(1, 1_000, 20), PageLimit(10, 1, 20)])
def test_a_page_by_the_index_ends_where_its_limit_does(limit: PageLimit) -> None:
    log, _ = filled(["a", *["b"] * 50, "a"])
    page = log.read(Matcher(["a"]), 0, limit)
    assert ([one.seq for one in page.entries], page.upto) == ([1], 1)
    assert [one.seq for one in log.read(Matcher(["a"]), page.upto, limit).entries] == [52]


def test_a_pattern_of_many_topics_is_read_by_walking() -> None:
    log, _ = filled([f"t{number}" for number in range(1_000)])
    page = log.read(Matcher(["*"]), 0, PageLimit(900, 100_000, 900))
    assert (len(page.entries), page.upto, page.scanned) == (900, 900, 900)


@given(st.lists(topics, max_size=60), st.none() | st.integers(0, 40), patterns, st.integers(1, 60), st.integers(1, 70))
def test_stepping_back_in_stretches_finds_what_the_index_finds(
    published: list[str], most: int | None, pattern: str, count: int, scan: int
) -> None:
    log, held = filled(published, most)
    place, missing = log.head, count
    while missing and place >= log.oldest:
        before = place
        place, missing = log.step_back(Matcher([pattern]), missing, place, scan)
        assert before - scan <= place < before
    found = log.find_last(Matcher([pattern]), count)
    assert found is not None
    assert naive_read(held, [pattern], place) == naive_read(held, [pattern], found)
    assert naive_read(held, [pattern], place) == naive_read(held, [pattern], 0)[-count:]


def test_only_walking_can_tell_the_last_events_of_a_pattern_of_many_topics() -> None:
    log, _ = filled([f"t{number}" for number in range(1_000)])
    assert log.find_last(Matcher(["*"]), 5) is None
    assert log.find_last(Matcher(["*"]), 0) == 1_000
    assert log.find_last(Matcher(["t7", "t9"]), 1) == 9
    assert log.step_back(Matcher(["*"]), 5, 1_000, 100) == (995, 0)


@given(st.lists(st.integers(1, 100), max_size=60), st.integers(0, 2_000))
def test_what_the_events_take_stays_within_the_bytes(sizes: list[int], most: int) -> None:
    log = Log(None, most, None)
    costs: list[int] = []
    for seq, size in enumerate(sizes, 1):
        before = log.bytes
        held = len(log)
        log.append(entry(seq, size=size))
        if len(log) == held + 1:
            costs.append(log.bytes - before - size)
        assert log.bytes <= most
    assert len(set(costs)) <= 1  # each event costs its payload and the same beside it


def test_a_log_that_was_emptied_takes_nothing() -> None:
    log = Log(None, None, 1_000)
    for seq in range(1, 101):
        log.append(entry(seq, f"t{seq % 3}", ts=seq))
    log.evict_older(10_000)
    assert (len(log), log.bytes, log.oldest, log.head) == (0, 0, 101, 100)
    assert log.read(Matcher(["t0"]), 0, BROAD) == ([], 100, 0)


def test_the_age_limit_is_the_last_moment_an_event_is_held() -> None:
    log = Log(None, None, 1_000)
    log.append(entry(1, ts=500))
    log.evict_older(1_500)
    assert len(log) == 1
    log.evict_older(1_501)
    assert len(log) == 0


def test_without_an_age_limit_nothing_is_too_old() -> None:
    log, _ = filled(["a"])
    log.evict_older(10**15)
    assert len(log) == 1


@given(st.lists(st.integers(0, 50), max_size=60).map(sorted), st.none() | st.integers(0, 40), st.integers(-1, 51))
def test_the_events_since_a_time_stand_after_the_place_found(times: list[int], most: int | None, since: int) -> None:
    log = Log(most, None, None)
    for seq, ts in enumerate(times, 1):
        log.append(entry(seq, ts=ts))
    held = [seq for seq, ts in enumerate(times, 1) if seq >= log.oldest and ts >= since]
    assert log.find_since(since) == (held[0] - 1 if held else log.head)
