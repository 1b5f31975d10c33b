"""Reading the log for all of a client's patterns together: following it from one place on, or one page of it.

What `subscribe` gives each subscription by itself (a place, a replay, `live`) the whole client is given here, so that
one cursor tells all of it: events come in the order of the log, each once however many of its patterns match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmwire_protocol.codec import encode
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import Live, Position, StartAt

from ..engines.base import Entry, Page, PageLimit
from ..engines.matcher import Matcher
from .reader import Cost, PlacedReader
from .subscriptions import Start, is_passed, is_unknown, learn

if TYPE_CHECKING:
    from .outbox import Outbox

__all__ = ["EVERYTHING_FOLLOWED", "PageReader", "find_place", "follow"]

EVERYTHING_FOLLOWED = ""
"""The `sub` of a `live` that is of all subscriptions of the client: no subscription has this name."""


async def follow(outbox: Outbox, begin: str | StartAt) -> str | None:
    """Take all live subscriptions of a client, which has just made them, to another place in the log.

    Nothing that is published meanwhile goes past them. At the head they say `live`. Returns the cursor of the place,
    or None where what they write first tells it (a snapshot, or a gap of another epoch).
    """
    if begin == "now":
        return outbox.cursor(outbox.delivery.engine.head)
    outbox.live = False
    if is_unknown(outbox.delivery.engine, begin):
        await learn(outbox.delivery.engine, begin)
    start = await find_place(outbox, begin, outbox.matcher)
    outbox.position = start.position
    for member in outbox.members.values():
        member.joined = start.position
    if not outbox.lost:
        outbox.begin(_FollowReader(outbox, start))
    return outbox.cursor(start.position) if start.snapshot_until is None and not start.notice else None


async def find_place(outbox: Outbox, begin: str | StartAt, matcher: Matcher) -> Start:
    """Where reading begins for all patterns of a matcher: `start`, `latest`, or what a `StartAt` says.

    Of a remote log it is decided by what is known of it here: `learn` first.
    """
    engine = outbox.delivery.engine
    match begin:
        case StartAt(cursor=str(text)):
            return _resume(outbox, text)
        case StartAt(last=int(count)):
            return Start(await engine.find_last(matcher, count))
        case StartAt(since_ms=int(ts)):
            return Start(await engine.find_since(ts))
        case "latest":
            floor = engine.latest_floor
            notice = outbox.gap(outbox.cursor(0), floor, "evicted") if floor else b""
            return Start(0, snapshot_until=engine.head, notice=notice, floor=floor)
        case "start":
            return Start(engine.evicted(matcher).whole)
    raise AssertionError("the start was not checked")


def _resume(outbox: Outbox, text: str) -> Start:
    engine, cursor = outbox.delivery.engine, Cursor.parse(text)
    if is_passed(engine, cursor):
        return Start(cursor.seq)
    position = engine.oldest - 1
    return Start(position, notice=outbox.gap(text, position, "epoch"))


class _FollowReader(PlacedReader):
    """Brings the position that a client's live subscriptions share from where they began to the head."""

    def __init__(self, outbox: Outbox, start: Start) -> None:
        super().__init__(
            outbox, start.position, snapshot_until=start.snapshot_until, notice=start.notice, floor=start.floor
        )

    def _write(self, page: Page) -> Cost:
        cost = super()._write(page)
        self.outbox.position = self.outbox.told = self.position
        return cost

    def _matcher(self) -> Matcher:
        return self.outbox.matcher

    def _last_words(self) -> list[bytes]:
        return [encode(Live(sub=EVERYTHING_FOLLOWED, cursor=self.outbox.cursor(self.position)))]

    def _arrive(self) -> None:
        self.outbox.live = True
        self.outbox.ended(self)


class PageReader(PlacedReader):
    """Writes one page of the log, bounded by a place and in events, bytes and entries looked at; then a `position`.

    Attributes:
        more: whether the log may hold more for it, up to `until`.
    """

    _MOST_PAGES = 20

    def __init__(self, outbox: Outbox, matcher: Matcher, start: Start, *, until: int | None, limit: int) -> None:
        super().__init__(outbox, start.position, notice=start.notice)
        self.more = True
        self._patterns = matcher
        # What is published while a remote log is asked is not of this page: it would never end.
        self._until = self.engine.head if until is None and self.engine.remote else until
        self._entries_left = limit
        self._bytes_left = outbox.delivery.limits.outbox_bytes // 2
        self._scan_left = outbox.delivery.limits.page_scan * self._MOST_PAGES

    def step(self, limit: PageLimit) -> Cost:
        """Write a part of the page."""
        if self._is_over():
            return self._finish(Cost(0, 1, False))
        entries, size = min(limit.entries, self._entries_left), min(limit.bytes, self._bytes_left)
        return super().step(PageLimit(entries, size, min(limit.scan, self._scan_left)))

    def _is_over(self) -> bool:
        self.more = self.position < self._end()
        return not self.more or min(self._entries_left, self._bytes_left, self._scan_left) <= 0

    def _end(self) -> int:
        head = self.engine.head
        return head if self._until is None else min(self._until, head)

    def _finish(self, cost: Cost) -> Cost:
        self.stopped = True
        self.outbox.write_events([encode(Position(cursor=self.outbox.cursor(self.position)))])
        self.outbox.ended(self)
        return Cost(cost.bytes, cost.scan, False)

    def _write(self, page: Page) -> Cost:
        if self._until is not None and page.upto > self._until:
            page = Page([entry for entry in page.entries if entry.seq <= self._until], self._until, page.scanned)
        cost = super()._write(page)
        self._bytes_left -= cost.bytes
        self._scan_left -= cost.scan
        return self._finish(cost) if self._is_over() else cost

    def _matcher(self) -> Matcher:
        return self._patterns

    def _encode(self, entries: list[Entry]) -> list[bytes]:
        self._entries_left -= len(entries)
        return super()._encode(entries)

    def _arrive(self) -> None:
        """Nothing goes live here."""
