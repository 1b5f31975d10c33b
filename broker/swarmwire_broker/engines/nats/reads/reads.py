"""Reading the log where it lies: pages by short-lived consumers of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ....natslink import JetStream, Link, LinkError
from ...base import Page, PageLimit
from ...matcher import Matcher
from ..body import Topics
from ..subjects import Subjects
from .consumers import Consumers
from .finding import find_last, find_since
from .paging import Paging
from .readplan import Wanted

__all__ = ["Reads"]

_T = TypeVar("_T")

_PATIENCE: Final = 5.0
"""Seconds for which a read that gets nowhere is tried again."""

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5

_RETRY_AFTER_MS: Final = 1_000


class Reads:
    """What the engine reads of its stream, page by page, each as large as `PageLimit` lets it be.

    All raise SwarmwireError UNAVAILABLE when the servers give nothing for some seconds.

    Arguments:
        stream: its name.
        topics: what is known of the subjects met.
        head: the place beyond which nothing is told, because the broker itself has not heard it.
        most: consumers that may be open at once; who needs one more waits.
    """

    def __init__(
        self,
        link: Link,
        js: JetStream,
        stream: str,
        subjects: Subjects,
        topics: Topics,
        head: Callable[[], int],
        *,
        most: int = 32,
        patience: float = _PATIENCE,
    ) -> None:
        self.consumers = Consumers(link, js, stream, subjects, most=most)
        self._topics = topics
        self._head = head
        self._patience = patience

    async def close(self) -> None:
        """Delete what is open. Harmless twice."""
        await self.consumers.close()

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        """A page of the log, as `Engine.fetch` says."""
        head = self._head()
        if after >= head:
            return Page([], after, 0)
        return await self._page(Wanted(matcher), after, head, limit)

    async def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        """A page of the last events of matching topics, as `Engine.fetch_latest` says.

        A topic that changes while its snapshot is read may come twice: then the later event is its last.
        """
        if after >= until:
            return Page([], until, 0)
        return await self._page(Wanted(matcher, until), after, until, limit)

    async def _page(self, wanted: Wanted, after: int, until: int, limit: PageLimit) -> Page:
        return await self._persist(Paging(self.consumers, self._topics, wanted, after, until, limit).page)

    async def find_last(self, matcher: Matcher, count: int) -> int:
        """The place after which the log holds the last `count` matching events."""
        head = self._head()
        if count <= 0 or head <= 0:
            return head

        def matches(subject: bytes) -> bool:
            known = self._topics.of(subject)
            return known is not None and matcher(known.topic)

        return await self._persist(lambda: find_last(self.consumers, matcher, matches, count, head))

    async def find_since(self, ts: int) -> int:
        """The place after which the log holds the events with a time of `ts` milliseconds or later."""
        head = self._head()
        if ts <= 0 or head <= 0:
            return 0
        return await self._persist(lambda: find_since(self.consumers, ts, head))

    async def _persist(self, attempt: Callable[[], Awaitable[_T | None]]) -> _T:
        """Try until there is an answer; an attempt that returns None has got nowhere."""
        loop = asyncio.get_running_loop()
        over, pause = loop.time() + self._patience, _FIRST_PAUSE
        why = "the server that was asked is behind"
        while True:
            try:
                found = await attempt()
            except LinkError as problem:
                why, found = str(problem), None
            if found is not None:
                return found
            if loop.time() + pause > over:
                raise SwarmwireError(
                    ErrorCode.UNAVAILABLE,
                    f"The log could not be read for {self._patience:g} s: {why}.",
                    retry_after_ms=_RETRY_AFTER_MS,
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
