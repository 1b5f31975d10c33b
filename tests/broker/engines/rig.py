"""An engine under test: a clock that can be set, a list of what its listener heard, and publishing in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Draft, Engine, Entry, Outcome, Page, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_protocol.codec import event_head, event_origin

from .models import BROAD, check_page_limits

__all__ = ["OpenEngine", "Rig", "SettableClock", "rigged"]


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


OpenEngine = Callable[[Limits, SettableClock], AbstractAsyncContextManager[Engine]]
"""What opens an engine: `EngineSuite.open_engine` says how."""


class Rig:
    def __init__(self, engine: Engine, clock: SettableClock) -> None:
        self.engine = engine
        self.clock = clock
        self.heard: list[Entry] = []
        engine.listener = self.heard.append

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
        return await outcome

    async def publish(self, *topics: str) -> None:
        for topic in topics:
            assert (await self.append(topic)).error is None

    @property
    def held(self) -> list[Entry]:
        """What was published, as far as the log still holds it."""
        return [entry for entry in self.heard if entry.seq >= self.engine.oldest]

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

    async def snapshot(self, *patterns: str) -> list[int]:
        head = self.engine.head
        page = self.engine.latest(Matcher(patterns), 0, head, BROAD)
        assert page.upto == head
        return [entry.seq for entry in page.entries]


@asynccontextmanager
async def rigged(open_engine: OpenEngine, limits: Limits | None = None) -> AsyncIterator[Rig]:
    clock = SettableClock()
    async with open_engine(limits or Limits(), clock) as engine:
        yield Rig(engine, clock)
