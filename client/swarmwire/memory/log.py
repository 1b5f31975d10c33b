"""The log of a bus in memory: bounded, with the last event of every topic beside it."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final, TypeAlias

import msgspec

from swarmwire_protocol.cursor import new_epoch
from swarmwire_protocol.messages import Event, StartAt
from swarmwire_protocol.topics import matches

__all__ = ["DEDUPE_MS", "Entry", "Key", "MemoryLog"]

DEDUPE_MS: Final = 60_000
"""How long a key is known."""

_KEYS: Final = 100_000
"""Keys that are known at the same time; beyond it the oldest is forgotten early."""

Key: TypeAlias = tuple[str, str, str]
"""Whose key it is, its topic, and the key itself."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event of the log, and the client object that asked not to get it."""

    event: Event
    hidden_from: str | None


class MemoryLog:
    """At most `max_events` events, and the last event of as many topics."""

    def __init__(self, max_events: int) -> None:
        self._max = max_events
        self.epoch = new_epoch()
        self.head = 0
        self._entries: dict[int, Entry] = {}
        self._latest: OrderedDict[str, Entry] = OrderedDict()
        self._keys: OrderedDict[Key, tuple[int, float]] = OrderedDict()
        self._ts = 0

    @property
    def evicted(self) -> int:
        """The place of the newest event that is gone."""
        return self.head - len(self._entries)

    def cursor(self, seq: int) -> str:
        """A place as clients know it."""
        return f"{self.epoch}:{seq}"

    def now_ms(self) -> int:
        """The time for the next event, which never falls."""
        self._ts = max(self._ts, time.time_ns() // 1_000_000)
        return self._ts

    def known(self, key: Key | None) -> int | None:
        """Where the event with this key is, or was."""
        if key is None or (found := self._keys.get(key)) is None:
            return None
        seq, since = found
        return seq if time.monotonic() - since < DEDUPE_MS / 1000 else None

    def append(self, event: Event, key: Key | None, hidden_from: str | None) -> int:
        """Give an event its place; the oldest makes room."""
        self.head = event.seq = self.head + 1
        entry = self._entries[self.head] = Entry(event, hidden_from)
        if len(self._entries) > self._max:
            del self._entries[self.head - self._max]
        self._latest.pop(event.topic, None)
        if not event.clear:
            self._latest[event.topic] = entry
            if len(self._latest) > self._max:
                self._latest.popitem(last=False)
        if key is not None:
            self._remember(key)
        return self.head

    def read(self, seq: int) -> Entry:
        """The event at a place that is not evicted."""
        return self._entries[seq]

    def events(self, pattern: str) -> list[Event]:
        """What is held and matches."""
        return [entry.event for entry in self._entries.values() if matches(pattern, entry.event.topic)]

    def latest(self, pattern: str) -> list[Entry]:
        """The last event of every matching topic, in their order."""
        return [entry for topic, entry in self._latest.items() if matches(pattern, topic)]

    def start(self, pattern: str, start: str | StartAt) -> int:
        """The place behind which a subscription reads that begins so in this log."""
        match start:
            case "now" | "latest":
                return self.head
            case StartAt(last=int(count)):
                found = [event.seq for event in self.events(pattern)][-count:] if count else []
                return (found[0] or 1) - 1 if found else self.head
            case StartAt(since_ms=int(since)):
                late = (seq for seq, entry in self._entries.items() if entry.event.ts >= since)
                return next(late, self.head + 1) - 1
        return self.evicted

    def _remember(self, key: Key) -> None:
        self._keys.pop(key, None)
        self._keys[key] = (self.head, time.monotonic())
        if len(self._keys) > _KEYS:
            self._keys.popitem(last=False)
