"""The newest events in memory: a ring by place, with an index by topic."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from .base import Page, PageLimit
from .entry import Entry
from .matcher import Matcher
from .topicindex import TopicIndex
from .window import Window

__all__ = ["Log"]

_ENTRY_OVERHEAD: Final = 250
"""Bytes an entry costs beside its payload: the record, its place in the ring and in the index (measured, rounded)."""

_FEW_TOPICS: Final = 256
"""Up to so many topics a pattern is read by the index; beyond it, by walking the ring."""

_FIND_STEPS: Final = 2_000
"""How much of the index is looked at to tell whether it is of use in finding the last events."""


class Log:
    """Events with consecutive `seq`, the oldest evicted when there are too many, too many bytes, or they are too old.

    Reading costs what matches, where a pattern names few topics, and never more than the page's `scan` entries.

    Attributes:
        head: the highest `seq`.
        oldest: the lowest `seq` held; head + 1 if none is.
        bytes: what the events held take, payloads and bookkeeping.
    """

    def __init__(self, max_events: int | None, max_bytes: int | None, max_age_ms: int | None, head: int = 0) -> None:
        self.head = head
        self.oldest = head + 1
        self.bytes = 0
        self._max_events = math.inf if max_events is None else max_events
        self._max_bytes = math.inf if max_bytes is None else max_bytes
        self._max_age_ms = max_age_ms
        self._ring = Window()
        self._by_topic: dict[str, Window] = {}
        self._topics = TopicIndex()

    def __len__(self) -> int:
        return len(self._ring)

    # ---- writing

    def append(self, entry: Entry) -> None:
        """Put the next event at the end, and let go what is over the limits."""
        self.head = seq = entry.seq
        self._ring.items.append(entry)
        places = self._by_topic.get(entry.topic)
        if places is None:
            places = self._by_topic[entry.topic] = Window()
            self._topics.add(entry.topic)
        places.items.append(seq)
        self.bytes += len(entry.payload) + _ENTRY_OVERHEAD
        while self.oldest <= seq and (seq - self.oldest >= self._max_events or self.bytes > self._max_bytes):
            self._evict_one()

    def evict_older(self, now_ms: int) -> None:
        """Let go what has passed the age limit."""
        if self._max_age_ms is None:
            return
        while self.oldest <= self.head and self._at(self.oldest).ts < now_ms - self._max_age_ms:
            self._evict_one()

    def _evict_one(self) -> None:
        entry: Entry = self._ring.popleft()
        self.oldest += 1
        self.bytes -= len(entry.payload) + _ENTRY_OVERHEAD
        places = self._by_topic[entry.topic]
        places.popleft(0)
        if places.start == len(places.items):
            del self._by_topic[entry.topic]
            self._topics.remove(entry.topic)

    # ---- reading

    def _at(self, seq: int) -> Entry:
        entry: Entry = self._ring.items[self._ring.start + seq - self.oldest]
        return entry

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        """The matching events after `after`, as far as the limits go."""
        after = max(after, self.oldest - 1)
        if self.head - after > limit.scan:
            topics = self._few_topics(matcher, limit.scan // 2, limit.scan)
            if topics is not None:
                return self._read_topics(topics, after, limit)
        return self._walk(matcher, after, limit)

    def _walk(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        entries: list[Entry] = []
        size = 0
        begin = after
        start = self._ring.start + after + 1 - self.oldest
        for entry in self._ring.items[start : start + limit.scan]:
            if matcher(entry.topic):
                if len(entries) >= limit.entries or size >= limit.bytes:
                    break
                entries.append(entry)
                size += len(entry.payload)
            after = entry.seq
        return Page(entries, after, after - begin)

    def _read_topics(self, topics: list[str], after: int, limit: PageLimit) -> Page:
        entries: list[Entry] = []
        size = 0
        most = min(limit.entries, limit.scan - len(topics))
        for seq in heapq.merge(*(self._places_after(topic, after) for topic in topics)):
            if len(entries) >= most or size >= limit.bytes:
                return Page(entries, entries[-1].seq if entries else after, len(entries) + len(topics))
            entry = self._at(seq)
            entries.append(entry)
            size += len(entry.payload)
        return Page(entries, self.head, len(entries) + len(topics))

    def _places_after(self, topic: str, after: int) -> Iterator[int]:
        places = self._by_topic[topic]
        return places.from_index(bisect_right(places.items, after, places.start))

    def _few_topics(self, matcher: Matcher, most: int, steps: int) -> list[str] | None:
        """The topics in the log that match; None if they are many, or if telling takes more than `steps`."""
        most = min(most, _FEW_TOPICS)
        topics = {topic for topic in matcher.literals if topic in self._by_topic}
        for pattern in matcher.wildcards:
            found = self._topics.find(pattern, most=most, steps=steps // len(matcher.wildcards))
            if found is None:
                return None
            topics.update(found)
        return list(topics) if len(topics) <= most else None

    # ---- finding a place to begin

    def find_last(self, matcher: Matcher, count: int) -> int | None:
        """The place after which the last `count` matching events stand.

        None if only walking the log can tell (`step_back`).
        """
        if count == 0:
            return self.head
        topics = self._few_topics(matcher, _FEW_TOPICS, _FIND_STEPS)
        return None if topics is None else self._find_last_of(topics, count)

    def step_back(self, matcher: Matcher, count: int, place: int, scan: int) -> tuple[int, int]:
        """Look at up to `scan` events before `place` for `count` that match: the place reached, and how many lack."""
        floor = self.oldest - 1
        for seq in range(min(place, self.head), max(floor, place - scan), -1):
            if matcher(self._at(seq).topic):
                count -= 1
                if count == 0:
                    return seq - 1, 0
        return max(floor, place - scan), count

    def _find_last_of(self, topics: list[str], count: int) -> int:
        newest = (seq for topic in topics for seq in self._by_topic[topic].items[-count:] if seq >= self.oldest)
        places = heapq.nlargest(count, newest)
        return places[-1] - 1 if places else self.head

    def find_since(self, ts: int) -> int:
        """The place after which the events with this time or a later one stand. `ts` never falls within a log."""
        ring = self._ring
        index = bisect_left(ring.items, ts, ring.start, key=_time)
        return self.oldest - 1 + index - ring.start


def _time(entry: Entry | None) -> int:
    return entry.ts if entry is not None else 0
