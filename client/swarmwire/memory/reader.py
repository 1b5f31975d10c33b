"""Those who read the log of a bus in memory: a position each, and what they are to be told next."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

import msgspec

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import Conflate, Event, Gap, Live, Position, StartAt, Subscription
from swarmwire_protocol.topics import check_pattern, matches

from .log import Entry, MemoryLog

__all__ = ["ConflatingReader", "MemoryReader", "Told", "reader_for"]

Told: TypeAlias = Event | Gap | Live | Position
"""What a reader is told."""

_UNTOLD: Final = 100
"""Events that pass a reader by before it is told where it stands."""


class MemoryReader:
    """One subscription.

    Attributes:
        seq: everything up to here was read.
        cursor: where it began, for the answer to its request.
    """

    def __init__(self, log: MemoryLog, wanted: Subscription, instance: str | None) -> None:
        self.pattern = wanted.pattern
        self.sub = wanted.pattern if wanted.sub is None else wanted.sub
        self._log = log
        self._instance = instance
        self._first: deque[Event | Gap] = deque()
        self._live_at = None if wanted.from_ == "now" else log.head
        self.seq = self._told = self._begin(wanted.from_)
        self.cursor = log.cursor(self.seq)
        if isinstance(wanted.from_, StartAt) and wanted.from_.cursor is not None:
            self.cursor = wanted.from_.cursor

    def _begin(self, start: str | StartAt) -> int:
        log = self._log
        if start == "latest":
            self._first += [self._named(entry.event) for entry in log.latest(self.pattern) if self._wants(entry)]
        if not isinstance(start, StartAt) or start.cursor is None:
            return log.start(self.pattern, start)
        place = Cursor.parse(start.cursor)
        if place.epoch == log.epoch and place.seq <= log.head:
            return place.seq
        self._first.append(Gap(from_=start.cursor, to=log.cursor(log.evicted), reason="epoch", sub=self.sub))
        return log.evicted

    def read(self, room: int) -> list[Told]:
        """The next messages for this subscription, about `room` of them at most."""
        log = self._log
        found: list[Told] = [self._first.popleft() for _ in range(min(room, len(self._first)))]
        if self.seq < log.evicted:
            found.append(Gap(from_=log.cursor(self.seq), to=log.cursor(log.evicted), reason="evicted", sub=self.sub))
            self.seq = self._told = log.evicted
        while len(found) < room and self.seq < log.head:
            self.seq += 1
            entry = log.read(self.seq)
            if self._matches(entry):
                found.append(self._named(entry.event))
                self._told = self.seq
        if len(found) < room:
            found += self._last_words()
        return found

    def ephemeral(self, event: Event, hidden_from: str | None) -> Event | None:
        """An event that is live only, as this subscription gets it; None if it is not for it, or it lags."""
        is_live = self.seq == self._log.head and not self._first
        return self._named(event) if is_live and self._matches(Entry(event, hidden_from)) else None

    def _last_words(self) -> list[Told]:
        """What there is to say to who has read what there is."""
        if self._live_at is not None and self.seq >= self._live_at:
            self._live_at, self._told = None, self.seq
            return [Live(sub=self.sub, cursor=self._log.cursor(self.seq))]
        if self.seq - self._told >= _UNTOLD:
            return [self._position()]
        return []

    def _position(self) -> Position:
        self._told = self.seq
        return Position(sub=self.sub, cursor=self._log.cursor(self.seq))

    def _wants(self, entry: Entry) -> bool:
        return entry.hidden_from is None or entry.hidden_from != self._instance

    def _matches(self, entry: Entry) -> bool:
        return matches(self.pattern, entry.event.topic) and self._wants(entry)

    def _named(self, event: Event) -> Event:
        return msgspec.structs.replace(event, sub=self.sub)


class ConflatingReader(MemoryReader):
    """A subscription that is told the latest event of every topic, once a tick of `conflate_ms`.

    Whoever reads it calls `tick` so long after `waits` has become true.
    """

    def __init__(self, log: MemoryLog, wanted: Subscription, instance: str | None, conflate_ms: int) -> None:
        super().__init__(log, wanted, instance)
        self.conflate_ms = conflate_ms
        self._held: dict[str, Event] = {}
        self._others: list[Told] = []
        self._due = False

    @property
    def waits(self) -> bool:
        """Whether there is something for the next tick."""
        return bool(self._held or self._others)

    def tick(self) -> None:
        """What is held may be read."""
        self._due = True

    def read(self, room: int) -> list[Told]:
        for message in super().read(room):
            if isinstance(message, Event):
                self._hold(message)
            else:
                self._others.append(message)
        if not self._due and len(self._held) < room:
            return []
        self._due = False
        found = [*self._held.values(), *self._others, self._position()] if self.waits else []
        self._held, self._others = {}, []
        return found

    def ephemeral(self, event: Event, hidden_from: str | None) -> Event | None:
        named = super().ephemeral(event, hidden_from)
        if named is not None:
            self._hold(named)
        return None

    def _hold(self, event: Event) -> None:
        before = self._held.pop(event.topic, None)
        skipped = None if before is None else (before.skipped or 0) + 1
        self._held[event.topic] = msgspec.structs.replace(event, skipped=skipped)


def reader_for(log: MemoryLog, wanted: Subscription, instance: str | None) -> MemoryReader:
    """The reader that a subscription asks for.

    Raises:
        SwarmwireError: INVALID_TOPIC, or INVALID_MESSAGE for a cursor that is none.
    """
    check_pattern(wanted.pattern)
    if isinstance(wanted.mode, Conflate):
        return ConflatingReader(log, wanted, instance, wanted.mode.conflate_ms)
    return MemoryReader(log, wanted, instance)
