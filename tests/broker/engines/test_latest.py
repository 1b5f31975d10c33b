"""The table of last events, beside a model that is a dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_broker.engines.latest import LatestTable
from swarmwire_broker.engines.matcher import Matcher

from .models import BROAD, entry, matches_any, page_limits, patterns, topics


def seqs(table: LatestTable, pattern: str = "#", until: int = 10**6) -> list[int]:
    return [one.seq for one in table.read(Matcher([pattern]), 0, until, BROAD).entries]


class LatestAgainstADict(RuleBasedStateMachine):
    """Changes, and snapshots that are read in pages with changes between them."""

    @initialize(max_topics=st.integers(0, 8), max_bytes=st.integers(0, 400))
    def begin(self, max_topics: int, max_bytes: int) -> None:
        self.max_topics, self.max_bytes = max_topics, max_bytes
        self.table = LatestTable(max_topics, max_bytes)
        self.model: dict[str, Entry] = {}  # in the order of their last change
        self.floor = 0
        self.head = 0
        self.snapshot: tuple[str, int, int] | None = None

    @rule(topic=topics, size=st.integers(1, 120), clear=st.booleans())
    def change(self, topic: str, size: int, clear: bool) -> None:
        self.head += 1
        new = entry(self.head, topic, size, clear=clear)
        self.table.put(new)
        self.model.pop(topic, None)
        if not clear:
            self.model[topic] = new
        while len(self.model) > self.max_topics or self._size() > self.max_bytes:
            self.floor = self.model.pop(next(iter(self.model))).seq

    def _size(self) -> int:
        return sum(len(one.payload) for one in self.model.values())

    @rule(pattern=patterns)
    def begin_a_snapshot(self, pattern: str) -> None:
        self.snapshot = (pattern, 0, self.head)

    @precondition(lambda self: self.snapshot is not None)
    @rule(limit=page_limits)
    def read_a_page(self, limit: PageLimit) -> None:
        assert self.snapshot is not None
        pattern, after, until = self.snapshot
        page = self.table.read(Matcher([pattern]), after, until, limit)
        there = [one for one in self.model.values() if matches_any([pattern], one.topic)]
        assert page.entries == [one for one in there if after < one.seq <= page.upto]
        assert after < page.upto <= until or after == until == 0
        assert len(page.entries) <= page.scanned <= limit.scan
        assert len(page.entries) <= limit.entries
        self.snapshot = (pattern, page.upto, until) if page.upto < until else None

    @invariant()
    def they_agree(self) -> None:
        assert seqs(self.table) == [one.seq for one in self.model.values() if not one.topic.startswith("$")]
        assert (len(self.table), self.table.bytes, self.table.floor) == (len(self.model), self._size(), self.floor)


TestLatestAgainstADict = LatestAgainstADict.TestCase


def test_a_table_of_0_topics_vouches_for_nothing() -> None:
    table = LatestTable(0, 1_000)
    table.put(entry(1))
    assert (seqs(table), len(table), table.floor) == ([], 0, 1)


def test_an_event_larger_than_the_table_is_not_kept() -> None:
    table = LatestTable(10, 100)
    table.put(entry(1, "a", 10))
    table.put(entry(2, "b", 101))
    assert (seqs(table), table.bytes, table.floor) == ([], 0, 2)


def test_clearing_what_is_not_there_changes_nothing() -> None:
    table = LatestTable(10, 100)
    table.put(entry(1, "a", clear=True))
    assert (len(table), table.bytes, table.floor) == (0, 0, 0)


def test_a_page_ends_at_its_bytes_but_is_never_empty_for_an_entry() -> None:
    table = LatestTable(10, 1_000)
    for seq in range(1, 5):
        table.put(entry(seq, f"t{seq}", 100))
    page = table.read(Matcher(["*"]), 0, 4, PageLimit(10, 150, 10))
    assert ([one.seq for one in page.entries], page.upto) == ([1, 2], 2)
    page = table.read(Matcher(["*"]), 2, 4, PageLimit(10, 1, 10))
    assert ([one.seq for one in page.entries], page.upto) == ([3], 3)


@given(st.integers(1, 5))
def test_many_changes_of_few_topics_cost_no_lasting_memory(topic_count: int) -> None:
    table = LatestTable(100, 10_000)
    for seq in range(1, 20_001):
        table.put(entry(seq, f"t{seq % topic_count}", clear=seq % 11 == 0))
    assert len(table._order) <= 8_192 + 2 * topic_count
    assert seqs(table)[-1] == 20_000 - (20_000 % 11 == 0)


def test_large_events_that_are_the_last_no_more_cost_no_lasting_memory() -> None:
    table = LatestTable(100, 10_000)
    for seq in range(1, 101):
        table.put(entry(seq, "a", size=1_000))
        assert table._stale_bytes <= 2_500
    assert len(table._order) <= 4
    assert seqs(table) == [100]


def test_stale_places_do_not_hide_what_is_there() -> None:
    table = LatestTable(10, 10_000)
    table.put(entry(1, "old"))
    for seq in range(2, 5_002):
        table.put(entry(seq, "busy"))
    assert seqs(table) == [1, 5_001]
    assert seqs(table, "old") == [1]
