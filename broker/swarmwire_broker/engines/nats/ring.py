"""The newest events that a broker has heard, in memory: places rise, but not by one."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from ..base import Page, PageLimit
from ..entry import Entry
from ..matcher import Matcher
from ..topicindex import TopicIndex
from ..window import Window
from .coverage import Coverage
from .subjects import Filter

__all__ = ["Ring"]

_ENTRY_OVERHEAD: Final = 450
"""Bytes an entry costs beside its payload, where every topic is another: the record, its place in ring and index."""

_FEW_TOPICS: Final = 256
"""Up to so many topics a pattern is read by the index; beyond it, by walking the ring."""


class Ring:
    """What the broker's consumer has brought, the oldest let go when it is too many events or too many bytes.

    It answers for patterns whose filters were heard for long enough, and for nothing else.

    Attributes:
        head: everything up to here was heard, as far as the filters match it.
        oldest: the lowest place that the log itself still holds, as far as is known here.
        bytes: what the events held take, payloads and bookkeeping.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self.head = 0
        self.oldest = 1
        self.bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._floor = 0  # events up to here may be missing
        self._ring = Window()
        self._by_topic: dict[str, Window] = {}
        self._topics = TopicIndex()
        self._coverage = Coverage()

    def __len__(self) -> int:
        return len(self._ring)

    # ---- hearing

    def renew(self, head: int = 0) -> None:
        """Begin anew at a place: nothing is held and nothing is heard."""
        self.head, self.oldest, self.bytes, self._floor = head, 1, 0, head
        self._ring = Window()
        self._by_topic.clear()
        self._topics.clear()
        self._coverage.clear()

    def hear(self, filters: Iterable[Filter]) -> None:
        """From behind the head on, what these filters match is heard, and nothing else."""
        self._coverage.change(filters, self.head)

    def append(self, entry: Entry) -> None:
        """Take the next event that was heard. Its place lies behind the head."""
        self.head = entry.seq
        self._ring.items.append(entry)
        same = self._by_topic.get(entry.topic)
        if same is None:
            same = self._by_topic[entry.topic] = Window()
            self._topics.add(entry.topic)
        same.items.append(entry)
        self.bytes += len(entry.payload) + _ENTRY_OVERHEAD
        while len(self._ring) > self._max_events or self.bytes > self._max_bytes:
            self._let_go()

    def advance(self, head: int) -> None:
        """Nothing more that the filters match stands up to this place."""
        self.head = max(self.head, head)

    def skip(self, head: int) -> None:
        """What stands up to this place was not heard, and will not be: for that the log has to be asked."""
        if head > self.head:
            while len(self._ring):  # nothing in front of it can be read any more
                self._let_go()
            self.head = self._floor = head

    def evict_below(self, oldest: int) -> None:
        """The log holds nothing below this place any more, so neither does the ring."""
        self.oldest = max(self.oldest, oldest)
        ring = self._ring
        while len(ring) and ring.items[ring.start].seq < oldest:
            self._let_go()

    def _let_go(self) -> None:
        entry: Entry = self._ring.popleft()
        self._floor = entry.seq
        self.bytes -= len(entry.payload) + _ENTRY_OVERHEAD
        same = self._by_topic[entry.topic]
        same.popleft()
        if not len(same):
            del self._by_topic[entry.topic]
            self._topics.remove(entry.topic)

    # ---- reading

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        """The matching events after `after`, as far as the limits go; None if not all of them were heard or kept."""
        if after >= self.head:
            return Page([], after, 0)
        after = max(after, self.oldest - 1)
        if after >= self.head:
            return Page([], self.head, 0)
        since = self._coverage.since(matcher)
        if since is None or after < max(since, self._floor):
            return None
        start = self._index_after(self._ring, after)
        if len(self._ring.items) - start > limit.scan:
            topics = self._few_topics(matcher, limit)
            if topics is not None:
                return self._read_topics(topics, after, limit)
        return self._walk(matcher, start, limit)

    def _walk(self, matcher: Matcher, start: int, limit: PageLimit) -> Page:
        found: list[Entry] = []
        size = 0
        stretch = self._ring.items[start : start + limit.scan]
        for scanned, entry in enumerate(stretch):
            if matcher(entry.topic):
                if len(found) >= limit.entries or size >= limit.bytes:
                    return Page(found, entry.seq - 1, scanned)
                found.append(entry)
                size += len(entry.payload)
        more = start + len(stretch) < len(self._ring.items)
        return Page(found, stretch[-1].seq if more else self.head, len(stretch))

    def _read_topics(self, topics: list[str], after: int, limit: PageLimit) -> Page:
        found: list[Entry] = []
        size = 0
        most = min(limit.entries, limit.scan - len(topics))
        for entry in heapq.merge(*(self._of_topic(topic, after) for topic in topics), key=_seq):
            if len(found) >= most or size >= limit.bytes:
                return Page(found, entry.seq - 1, len(found) + len(topics))
            found.append(entry)
            size += len(entry.payload)
        return Page(found, self.head, len(found) + len(topics))

    def _of_topic(self, topic: str, after: int) -> Iterator[Entry]:
        same = self._by_topic[topic]
        return same.from_index(self._index_after(same, after))

    @staticmethod
    def _index_after(window: Window, after: int) -> int:
        return bisect_right(window.items, after, window.start, key=_seq)

    def _few_topics(self, matcher: Matcher, limit: PageLimit) -> list[str] | None:
        """The topics held that match; None if they are many, or if telling takes long."""
        most = min(limit.scan // 2, _FEW_TOPICS)
        topics = {topic for topic in matcher.literals if topic in self._by_topic}
        for pattern in matcher.wildcards:
            steps = math.ceil(limit.scan / len(matcher.wildcards))
            found = self._topics.find(pattern, most=most, steps=steps)
            if found is None:
                return None
            topics.update(found)
        return list(topics) if len(topics) <= most else None


def _seq(entry: Entry) -> int:
    return entry.seq
