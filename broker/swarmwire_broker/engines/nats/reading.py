"""The half of the engine that changes nothing: from memory where that reaches, else from the servers."""

from __future__ import annotations

import asyncio
from typing import Final

from swarmwire_protocol.errors import SwarmwireError

from ...natslink.errors import LinkError
from ..base import Evicted, Page, PageLimit
from ..matcher import Matcher
from .feed import Feed
from .follower import Follower
from .publishing.pending import unavailable
from .publishing.window import Window
from .reads.reads import Reads
from .ring import Ring
from .streams import EngineMismatch, StreamFacts
from .tending import Tending

__all__ = ["NatsReading"]

_PATIENCE: Final = 2.0
"""Seconds for the log to be asked, and for the consumer to get as far as it said."""


class NatsReading:
    """What the contract of an engine says of reading."""

    epoch: str
    ring: Ring
    window: Window
    _feed: Feed
    _follower: Follower
    _reads: Reads
    _tending: Tending
    _holds_nothing: bool

    @property
    def head(self) -> int:
        return self._feed.position

    @property
    def oldest(self) -> int:
        after_head = self._feed.position + 1
        return after_head if self._holds_nothing else min(self._tending.first, after_head)

    @property
    def latest_floor(self) -> int:
        return self.oldest - 1

    def evicted(self, matcher: Matcher) -> Evicted:
        gone = self.oldest - 1
        return Evicted(gone, gone)

    async def refresh(self, upto: int = 0) -> None:
        """Learn what the log holds, and hear what it holds up to there.

        Raises:
            SwarmwireError: UNAVAILABLE, with `retry_after_ms`; it could not be asked in time.
        """
        facts = await self._asked()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._follower.reach(facts.last)
        except (TimeoutError, LinkError):
            raise unavailable("The log is not heard just now.") from None

    async def _asked(self) -> StreamFacts:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._tending.look()
        except (TimeoutError, LinkError, EngineMismatch) as problem:
            self._tending.doubt()
            raise self._away() from problem

    def _away(self) -> SwarmwireError:
        return unavailable("The log cannot be asked just now.")

    def learn(self, facts: StreamFacts) -> None:
        """This is what the log holds."""
        self._feed.floor = facts.first
        self.ring.evict_below(self.oldest)

    # ---- pages

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        return self.ring.read(matcher, max(after, self.oldest - 1), limit)

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        page = await self._reads.fetch(matcher, max(after, self.oldest - 1), limit)
        await self._asked()  # what the page lacks because it was evicted is known when the page is given
        return page

    def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page | None:
        return None

    async def fetch_latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        page = await self._reads.latest(matcher, after, until, limit)
        await self._asked()
        return page

    async def find_last(self, matcher: Matcher, count: int) -> int:
        return max(await self._reads.find_last(matcher, count), self.oldest - 1)

    async def find_since(self, ts: int) -> int:
        return max(await self._reads.find_since(ts), self.oldest - 1)
