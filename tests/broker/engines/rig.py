"""An engine under test: a clock that can be set, a list of what its listener heard, and publishing in one line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Draft, Engine, Entry, Outcome, Page, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_protocol.codec import event_head, event_origin

from .models import BROAD, check_page_limits

__all__ = ["EVERYTHING", "OpenEngine", "RealClock", "Rig", "SettableClock", "rigged"]

EVERYTHING = ("#", "$sys.#")
"""Patterns that match every topic."""

_PATIENCE = 10.0
"""Seconds for what an engine does by itself, in real time."""

_NEAR_MS = 3_000
"""Two times of one machine that mean the same moment."""


class SettableClock:
    """The time of day as the test says, `ms` since 1970, and beside it a steady clock that only `wait` moves."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000
        self._steady_ms = 5_000

    def __call__(self) -> int:
        return self.ms

    def steady_ms(self) -> int:
        return self._steady_ms

    def wait(self, ms: int) -> None:
        """Time passes, on both clocks."""
        self.ms += ms
        self._steady_ms += ms

    async def elapse(self, ms: int) -> None:
        """The same, where it may take that long."""
        self.wait(ms)


class RealClock(SettableClock):
    """A clock that goes by itself. What a test adds to `ms` sets the time of day of this broker, and nobody else's."""

    def __init__(self) -> None:
        self._set_by = 0

    @property
    def ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._set_by

    @ms.setter
    def ms(self, ms: int) -> None:
        self._set_by += ms - self.ms

    def __call__(self) -> int:
        return self.ms

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def wait(self, ms: int) -> None:
        raise AssertionError("time passes by itself here: elapse")

    async def elapse(self, ms: int) -> None:
        await asyncio.sleep(max(0, ms) / 1000)


OpenEngine = Callable[[Limits, SettableClock], AbstractAsyncContextManager[Engine]]
"""What opens an engine: `EngineSuite.open_engine` says how."""


class Rig:
    def __init__(self, engine: Engine, clock: SettableClock) -> None:
        self.engine = engine
        self.clock = clock
        self.heard: list[Entry] = []
        engine.listener = self.heard.append
        for pattern in EVERYTHING:
            engine.interest(pattern, True)

    # ---- publishing

    def draft(
        self,
        topic: str,
        data: bytes = b"1",
        *,
        key: str | None = None,
        scope: str = "alice",
        hidden_from: str | None = None,
        clear: bool = False,
        done: Callable[[Outcome], None] | None = None,
    ) -> Draft:
        named = (scope, key) if key is not None else None
        return Draft(topic, event_head(topic), event_origin("alice"), data, named, hidden_from, clear, done)

    async def append(
        self, topic: str, data: bytes = b"1", *, key: str | None = None, scope: str = "alice", clear: bool = False
    ) -> Outcome:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.engine.append(self.draft(topic, data, key=key, scope=scope, clear=clear, done=outcome.set_result))
        decided = await outcome
        await self.engine.refresh()
        return decided

    async def publish(self, *topics: str) -> None:
        for topic in topics:
            assert (await self.append(topic)).error is None

    @property
    def held(self) -> list[Entry]:
        """What was published, as far as the log still holds it."""
        return [entry for entry in self.heard if entry.seq >= self.engine.oldest]

    # ---- time

    @property
    def is_real(self) -> bool:
        """Whether time passes by itself."""
        return isinstance(self.clock, RealClock)

    def is_now(self, ts: int) -> bool:
        """Whether an event's time is that of this moment: the clock's own, or near it where that is another's."""
        return abs(ts - time.time_ns() // 1_000_000) < _NEAR_MS if self.is_real else ts == self.clock.ms

    async def until(self, condition: Callable[[], bool]) -> None:
        """See that something is so: at once, or in a while where time passes by itself."""
        end = time.monotonic() + _PATIENCE
        await self.engine.refresh()
        while self.is_real and not condition() and time.monotonic() < end:
            await asyncio.sleep(0.02)
            await self.engine.refresh()
        assert condition()

    # ---- reading

    async def page(self, patterns: Sequence[str], after: int = 0, limit: PageLimit = BROAD) -> Page:
        page = self.engine.read(Matcher(patterns), after, limit)
        return page if page is not None else await self.engine.fetch(Matcher(patterns), after, limit)

    async def read_all(self, patterns: Sequence[str], after: int = 0, limit: PageLimit = BROAD) -> list[Entry]:
        """Everything after a place, page by page; each page keeps to its limit and goes further than the last."""
        found: list[Entry] = []
        while after < self.engine.head:
            page = await self.page(patterns, after, limit)
            seqs = [entry.seq for entry in page.entries]
            assert seqs == sorted(set(seqs))
            assert all(after < seq <= page.upto for seq in seqs)
            assert after < page.upto <= self.engine.head
            assert len(seqs) <= page.scanned <= limit.scan
            check_page_limits(page.entries, limit)
            found += page.entries
            after = page.upto
        return found

    async def seqs(self, *patterns: str, after: int = 0) -> list[int]:
        return [entry.seq for entry in await self.read_all(patterns, after)]

    async def latest(
        self, patterns: Sequence[str], after: int = 0, until: int | None = None, limit: PageLimit = BROAD
    ) -> Page:
        end = self.engine.head if until is None else until
        page = self.engine.latest(Matcher(patterns), after, end, limit)
        return page if page is not None else await self.engine.fetch_latest(Matcher(patterns), after, end, limit)

    async def snapshot(self, *patterns: str) -> list[int]:
        head = self.engine.head
        page = await self.latest(patterns)
        assert page.upto == head
        return [entry.seq for entry in page.entries]


@asynccontextmanager
async def rigged(
    open_engine: OpenEngine, limits: Limits | None = None, *, clock: SettableClock | None = None
) -> AsyncIterator[Rig]:
    clock = clock or SettableClock()
    async with open_engine(limits or Limits(), clock) as engine:
        yield Rig(engine, clock)
