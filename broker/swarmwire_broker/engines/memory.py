"""The engine of one process: everything in memory, gone with the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from swarmwire_protocol.codec import encode_event
from swarmwire_protocol.cursor import new_epoch
from swarmwire_protocol.errors import SwarmwireError

from .base import Evicted, Page, PageLimit, Put, Stored
from .dedupe import DedupeTable, monotonic_ms
from .entry import Draft, Entry, Outcome, new_entry
from .latest import LatestTable
from .log import Log
from .matcher import Matcher
from .state import State

__all__ = ["MemoryEngine"]

_STRETCH: Final = 2_000
"""Events looked at in one turn of the loop when the last ones of a broad pattern are sought."""


def _nobody(entry: Entry) -> None:
    """The listener until there is one."""


def _never() -> None:
    """An engine that is never congested is never relieved, and a log that is its own is never made anew."""


def _heard(upto: int) -> None:
    """The listener hears everything at once."""


class MemoryEngine:
    """A ring of the newest events beside the last event of every topic. An append is decided at once.

    `now_ms` is the time of day: milliseconds since 1970. `steady_ms` only rises, and idempotency keys are kept by it.
    The limits are those of `core.settings.Limits`.
    """

    durability = "accepted"
    defers = False
    congested = False
    trouble = None
    remote = False
    in_flight = 0

    def __init__(
        self,
        *,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int] = monotonic_ms,
        log_events: int | None = 100_000,
        log_bytes: int | None = None,
        log_age_ms: int | None = None,
        latest_topics: int = 100_000,
        latest_bytes: int = 64 * 1024 * 1024,
        dedupe_ms: int = 60_000,
        dedupe_keys: int = 1_000_000,
        dedupe_keys_per_subject: int = 500_000,
    ) -> None:
        self.epoch = new_epoch()
        self.listener: Callable[[Entry], None] = _nobody
        self.relieved: Callable[[], None] = _never
        self.renewed: Callable[[], None] = _never
        self.missed: Callable[[int], None] = _heard
        self.log = Log(log_events, log_bytes, log_age_ms)
        self.table = LatestTable(latest_topics, latest_bytes)
        self.keys = DedupeTable(dedupe_ms, dedupe_keys, dedupe_keys_per_subject)
        self._state = State()
        self._now_ms = now_ms
        self._steady_ms = steady_ms
        self._ages = log_age_ms is not None
        self._ts = 0

    @property
    def head(self) -> int:
        return self.log.head

    @property
    def oldest(self) -> int:
        if self._ages:
            self.log.evict_older(self._now_ms())
        return self.log.oldest

    def evicted(self, matcher: Matcher) -> Evicted:
        gone = self.oldest - 1
        return Evicted(gone, gone)

    @property
    def latest_floor(self) -> int:
        return self.table.floor

    async def start(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to keep."""

    async def refresh(self, upto: int = 0) -> None:
        """Everything is known at any time."""

    # ---- appending

    def append(self, draft: Draft) -> None:
        self._append(draft, self._moment())

    def append_all(self, drafts: Sequence[Draft]) -> None:
        now = self._moment()
        for draft in drafts:
            self._append(draft, now)

    def _moment(self) -> int:
        """The time of day; what is too old by now is gone."""
        now = self._now_ms()
        if self._ages:
            self.log.evict_older(now)
        return now

    def _append(self, draft: Draft, now: int) -> None:
        done = draft.done
        if draft.key is not None:
            outcome = self._append_once(draft, draft.key, now)
            if done is not None:
                done(outcome)
            return
        seq = self._store(draft, now)
        if done is not None:
            done(Outcome(seq))

    def _append_once(self, draft: Draft, named: tuple[str, str], now: int) -> Outcome:
        key = (named[0], draft.topic, named[1])
        steady = self._steady_ms()
        if (known := self.keys.find(key, steady)) is not None:
            return Outcome(known, duplicate=True)
        try:
            self.keys.check_room(key, steady)
        except SwarmwireError as error:
            return Outcome(error=error)
        # Remembered first: whoever is told of the event may publish it again at once.
        self.keys.remember(key, self.log.head + 1, steady)
        return Outcome(self._store(draft, now))

    def _store(self, draft: Draft, now: int) -> int:
        # Time may be set back under a running broker; `ts` never falls within a log.
        ts = self._ts = now if now > self._ts else self._ts
        seq = self.log.head + 1
        payload = encode_event(draft.head, seq, ts, draft.origin, draft.data, draft.clear)
        entry = new_entry(seq, ts, draft.topic, payload, draft.hidden_from, draft.clear)
        self.log.append(entry)
        self.table.put(entry)
        self.listener(entry)
        return seq

    # ---- reading

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        self.log.evict_older(self._now_ms())
        return self.log.read(matcher, after, limit)

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        self.log.evict_older(self._now_ms())
        return self.log.read(matcher, after, limit)

    def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        return self.table.read(matcher, after, until, limit)

    async def fetch_latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        return self.table.read(matcher, after, until, limit)

    async def find_last(self, matcher: Matcher, count: int) -> int:
        place = self.log.find_last(matcher, count)
        if place is not None:
            return place
        place, missing = self.log.head, count
        while True:
            place, missing = self.log.step_back(matcher, missing, place, _STRETCH)
            if not missing or place < self.log.oldest:
                return place
            await asyncio.sleep(0)

    async def find_since(self, ts: int) -> int:
        return self.log.find_since(ts)

    def interest(self, pattern: str, wanted: bool) -> None:
        """Every event is here anyway."""

    # ---- state

    async def get(self, key: str) -> Stored | None:
        return self._state.get(key)

    async def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        return self._state.scan(prefix)

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        if any(draft.key is not None for draft in appends):
            raise ValueError("expected drafts without a key: one of them could be refused when the rest is done")
        self._state.check(puts)
        revision = self._state.apply(puts)
        for draft in appends:
            self.append(draft)
        return revision
