"""The half of the durable engine that changes nothing: from memory where that reaches, else from a reading thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from .base import Evicted, Page, PageLimit, Stored
from .matcher import Matcher
from .sqliteheld import Held
from .sqliteintake import closed
from .sqlitereader import Reader
from .sqlitereaders import Readers

__all__ = ["SqliteReading"]

_T = TypeVar("_T")


class SqliteReading:
    """What the contract of an engine says of reading. `_readers` is None while the log is not open."""

    held: Held
    _readers: Readers | None = None

    @property
    def head(self) -> int:
        return self.held.log.head

    @property
    def oldest(self) -> int:
        return self.held.oldest

    @property
    def latest_floor(self) -> int:
        return self.held.table.floor

    def evicted(self, matcher: Matcher) -> Evicted:
        return self.held.evicted(matcher)

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        return self.held.read(matcher, after, limit)

    async def refresh(self, upto: int = 0) -> None:
        """What others wrote is told as it is written: there are no others."""

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        after, head = max(after, self.evicted(matcher).whole), self.head
        found = await self._ask(lambda reader: reader.page(matcher, after, head, limit))
        # The reader may know of an eviction before the writer has told it.
        self.held.floors.raise_to({rule: min(floor, head) for rule, floor in found.floors.items()})
        return found.page

    async def _ask(self, question: Callable[[Reader], _T]) -> _T:
        if self._readers is None:
            raise closed()
        return await self._readers.ask(question)

    def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        return self.held.table.read(matcher, after, until, limit)

    async def fetch_latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        return self.held.table.read(matcher, after, until, limit)

    async def find_last(self, matcher: Matcher, count: int) -> int:
        floor, place, missing = self.evicted(matcher).whole, self.head, count
        while missing and place > floor:
            place, missing = await self._ask(
                partial(Reader.find_last, matcher=matcher, count=missing, before=place, floor=floor)
            )
        return max(place, self.evicted(matcher).whole)

    async def find_since(self, ts: int) -> int:
        floor, head = self.oldest - 1, self.head
        place = await self._ask(lambda reader: reader.find_since(ts, floor, head))
        return max(place, self.oldest - 1)

    def interest(self, pattern: str, wanted: bool) -> None:
        """Every event is here anyway."""

    # ---- state

    async def get(self, key: str) -> Stored | None:
        return await self._ask(lambda reader: reader.get(key))

    async def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        return await self._ask(lambda reader: reader.scan(prefix))
