"""What the tests of engines share: topics and patterns that collide often, and the naive answers."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from swarmwire_broker.engines.base import Entry, PageLimit
from swarmwire_protocol.topics import matches

BROAD = PageLimit(entries=10_000, bytes=10_000_000, scan=10_000)

SEGMENTS = ["a", "b", "c", "a*"]

topics = st.builds(
    lambda first, rest: ".".join([first, *rest]),
    st.sampled_from([*SEGMENTS, "$sys"]),
    st.lists(st.sampled_from(SEGMENTS), max_size=3),
)
"""Few enough that the same one comes often, reserved ones included."""

patterns = st.lists(st.sampled_from(["*", "#", "$sys", *SEGMENTS]), min_size=1, max_size=5).map(".".join) | topics
"""Wildcards in any place and any number."""

pattern_sets = st.lists(patterns, min_size=1, max_size=3)

page_limits = st.builds(PageLimit, st.integers(1, 8), st.integers(1, 700), st.integers(1, 16))


def matches_any(patterns: Iterable[str], topic: str) -> bool:
    return any(matches(pattern, topic) for pattern in patterns)


def naive_read(log: Iterable[Entry], patterns: list[str], after: int) -> list[int]:
    return [entry.seq for entry in log if entry.seq > after and matches_any(patterns, entry.topic)]


def entry(seq: int, topic: str = "a", size: int = 10, *, ts: int = 0, clear: bool = False) -> Entry:
    return Entry(seq, ts, topic, b"x" * size, None, clear)


def check_page_limits(entries: list[Entry], limit: PageLimit) -> None:
    """A page holds what its limit allows; only its last entry may go over the bytes."""
    assert len(entries) <= limit.entries
    assert sum(len(one.payload) for one in entries[:-1]) < limit.bytes or len(entries) <= 1
