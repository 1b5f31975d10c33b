"""What the durable engine holds in memory: the newest events, the last of every topic, and how far the log is gone."""

from __future__ import annotations

from collections.abc import Callable

from .base import Evicted, Page, PageLimit
from .entry import Entry
from .latest import LatestTable
from .log import Log
from .matcher import Matcher
from .retention import Floors, Keep
from .sqliteload import Loader
from .sqliteschema import LogFile

__all__ = ["Held"]


class Held:
    """A window on the newest events of a log that reaches further back on disk, and what belongs to it.

    Arguments:
        keep: what the log as a whole may hold: the window holds no more.
        window, latest: the most events (topics) and bytes of the window and of the table of last events.

    Attributes:
        log: the window. table: the last events. floors: what the rules of retention have let go.
    """

    def __init__(self, now_ms: Callable[[], int], keep: Keep, window: tuple[int, int], latest: tuple[int, int]) -> None:
        self._now_ms = now_ms
        self._age_ms = keep.age_ms
        self._window = (
            window[0] if keep.events is None else min(window[0], keep.events),
            window[1] if keep.bytes is None else min(window[1], keep.bytes),
        )
        self._latest = latest
        self.log = Log(*self._window, keep.age_ms)
        self.table = LatestTable(*latest)
        self.floors = Floors({})

    def load(self, loader: Loader, found: LogFile, floors: Floors) -> None:
        """Fill it from the file."""
        self.floors = floors
        tail = loader.tail(found.head, *self._window)
        self.log = Log(*self._window, self._age_ms, found.head - len(tail))
        for entry in tail:
            self.log.append(entry)
        last, floor = loader.last_events(found.latest_floor, *self._latest)
        for entry in last:
            self.table.put(entry)
        self.table.floor = max(floor, self.table.floor)

    def put(self, entry: Entry) -> None:
        """Take the next event."""
        self.log.append(entry)
        self.table.put(entry)

    @property
    def oldest(self) -> int:
        """The lowest `seq` that the log holds; head + 1 if it holds none."""
        self._let_age()
        return self.floors.lowest(self.log.head) + 1

    def evicted(self, matcher: Matcher) -> Evicted:
        """What the log has let go of the events that these patterns match."""
        self._let_age()
        return self.floors.evicted(matcher)

    def _let_age(self) -> None:
        """What is too old in the window is gone, and so is all before it, though the writer may not be there yet."""
        before = self.log.oldest
        self.log.evict_older(self._now_ms())
        if self.log.oldest > before and self.floors.is_single:
            self.floors.raise_to({0: self.log.oldest - 1})

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        """A page from the window; None if it does not reach back so far."""
        after = max(after, self.evicted(matcher).whole)
        if after < self.log.oldest - 1:
            return None
        page = self.log.read(matcher, after, limit)
        if self.floors.is_single:
            return page
        return page._replace(entries=[entry for entry in page.entries if self.floors.holds(entry)])
