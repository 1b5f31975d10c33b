"""The last event of every topic, within bounds."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

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
        # (seq, topic) of every change in rising order; a pair is stale when its topic has changed since.
        self._order: list[tuple[int, str]] = []
        self._first = 0
        self._most_places = _STALE_ALLOWED

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
        self._order.append((entry.seq, topic))
        self.bytes += len(entry.payload)
        if former is not None:
            self.bytes -= len(former.payload)
        if len(self._order) > self._most_places:
            self._compact()
        if len(self._by_topic) > self._max_topics or self.bytes > self._max_bytes:
            self._make_room()

    def _take_out(self, topic: str) -> None:
        former = self._by_topic.pop(topic, None)
        if former is not None:
            self.bytes -= len(former.payload)

    def _compact(self) -> None:
        self._order = [place for place in self._order[self._first :] if self._is_last(place)]
        self._first = 0
        self._most_places = 2 * len(self._order) + _STALE_ALLOWED

    def _make_room(self) -> None:
        while self._by_topic and (len(self._by_topic) > self._max_topics or self.bytes > self._max_bytes):
            place = self._order[self._first]
            self._first += 1
            if self._is_last(place):
                self.floor = place[0]
                self.bytes -= len(self._by_topic.pop(place[1]).payload)

    def _is_last(self, place: tuple[int, str]) -> bool:
        entry = self._by_topic.get(place[1])
        return entry is not None and entry.seq == place[0]

    def read(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        """The matching last events with after < seq <= until, as far as the limits go."""
        entries: list[Entry] = []
        size = 0
        start = bisect_right(self._order, after, self._first, key=lambda place: place[0])
        places = self._order[start : start + limit.scan]
        for scanned, (seq, topic) in enumerate(places):
            if seq > until:
                return Page(entries, until, scanned)
            entry = self._by_topic.get(topic)
            if entry is not None and entry.seq == seq and matcher(topic):
                if len(entries) >= limit.entries or size >= limit.bytes:
                    return Page(entries, after, scanned)
                entries.append(entry)
                size += len(entry.payload)
            after = seq
        return Page(entries, after if len(places) == limit.scan else until, len(places))
