"""The last event of every topic, within bounds."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

from .base import Page, PageLimit
from .entry import Entry
from .matcher import Matcher

__all__ = ["LatestTable"]

_STALE_ALLOWED: Final = 4_096


class LatestTable:
    """Topic -> its last event, at most `max_topics` and `max_bytes`: the topic longest unchanged makes room.

    `floor` is the highest `seq` that ever made room: of topics whose last event lies at or below it, nothing is known.
    """

    def __init__(self, max_topics: int, max_bytes: int) -> None:
        self.floor = 0
        self.bytes = 0
        self._max_topics = max_topics
        self._max_bytes = max_bytes
        self._by_topic: dict[str, Entry] = {}
        # Every change in rising order; an entry is stale when its topic has changed since.
        self._order: list[Any] = []
        self._first = 0
        self._most_places = _STALE_ALLOWED
        self._stale_bytes = 0
        self._most_stale_bytes = max_bytes // 4

    def __len__(self) -> int:
        return len(self._by_topic)

    def put(self, entry: Entry) -> None:
        """Take note of an event: it is its topic's last now, or with `clear` takes the topic out."""
        if entry.clear:
            self._take_out(entry.topic)
            return
        topic = entry.topic
        former = self._by_topic.get(topic)
        self._by_topic[topic] = entry
        self._order.append(entry)
        self.bytes += len(entry.payload)
        if former is not None:
            self._let_go(former)
        if len(self._order) > self._most_places or self._stale_bytes > self._most_stale_bytes:
            self._compact()
        if len(self._by_topic) > self._max_topics or self.bytes > self._max_bytes:
            self._make_room()

    def _let_go(self, entry: Entry) -> None:
        self.bytes -= len(entry.payload)
        self._stale_bytes += len(entry.payload)

    def _take_out(self, topic: str) -> None:
        former = self._by_topic.pop(topic, None)
        if former is not None:
            self._let_go(former)

    def _compact(self) -> None:
        self._order = [entry for entry in self._order[self._first :] if self._is_last(entry)]
        self._first = 0
        self._most_places = 2 * len(self._order) + _STALE_ALLOWED
        self._stale_bytes = 0

    def _make_room(self) -> None:
        while self._by_topic and (len(self._by_topic) > self._max_topics or self.bytes > self._max_bytes):
            entry = self._order[self._first]
            self._order[self._first] = None
            self._first += 1
            if self._is_last(entry):
                self.floor = entry.seq
                self.bytes -= len(entry.payload)
                del self._by_topic[entry.topic]

    def _is_last(self, entry: Entry) -> bool:
        return self._by_topic.get(entry.topic) is entry

    def read(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        """The matching last events with after < seq <= until, as far as the limits go."""
        entries: list[Entry] = []
        size = 0
        start = bisect_right(self._order, after, self._first, key=_seq)
        places = self._order[start : start + limit.scan]
        for scanned, entry in enumerate(places):
            if entry.seq > until:
                return Page(entries, until, scanned)
            if self._is_last(entry) and matcher(entry.topic):
                if len(entries) >= limit.entries or size >= limit.bytes:
                    return Page(entries, after, scanned)
                entries.append(entry)
                size += len(entry.payload)
            after = entry.seq
        return Page(entries, after if len(places) == limit.scan else until, len(places))


def _seq(entry: Entry) -> int:
    return entry.seq
