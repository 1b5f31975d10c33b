"""Reading the log from a place on: the one mechanism behind rewind, resume, catching up and conflation."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from swarmwire_protocol.codec import conflated, encode, with_sub
from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.messages import Live, Position

from ..engines.base import Entry, Page, PageLimit
from ..engines.matcher import Matcher

if TYPE_CHECKING:
    from .outbox import Outbox
    from .subscription import Subscription

__all__ = ["ConflatingReader", "Cost", "LagReader", "PlacedReader", "Reader", "ReplayReader"]

log = logging.getLogger("swarmwire.broker.reader")

_FETCH_RETRY: Final = 1.0
"""Seconds after which a page that could not be fetched is asked for again; twice as many each further time."""
_FETCH_RETRY_MOST: Final = 30.0
_REMOTE_RETRY_MOST: Final = 2.0
"""The same where a log that is elsewhere is away: it comes back by itself."""


class Cost(NamedTuple):
    """What a step took of the turn's page, and whether there is more to read."""

    bytes: int
    scan: int
    more: bool


class _Fetched(NamedTuple):
    page: Page
    matcher: Matcher


class Reader:
    """Brings one position of one client up to the head of the log.

    Attributes:
        position: everything up to here is written.
        stopped: it is not wanted any more.
    """

    def __init__(self, outbox: Outbox, position: int) -> None:
        self.outbox = outbox
        self.engine = outbox.delivery.engine
        self.position = position
        self.stopped = False
        self._fetched: _Fetched | None = None
        self._retry = 0.0  # seconds waited for the last time; 0 while the log can be read

    def step(self, limit: PageLimit) -> Cost:
        """Write one page. At the head of the log the reader is done."""
        page = self._read(limit)
        if page is None:
            self.outbox.delivery.clock.spawn(self._fetch(limit))
            return Cost(0, 1, False)
        return self._put(page)

    def _read(self, limit: PageLimit) -> Page | None:
        matcher = self._matcher()
        fetched, self._fetched = self._fetched, None
        # A page that was fetched before somebody else joined lacks what is for them.
        if fetched is not None and fetched.matcher is matcher:
            return fetched.page
        return self._at_hand(matcher, limit)

    async def _fetch(self, limit: PageLimit) -> None:
        matcher = self._matcher()
        try:
            page = await self._far(matcher, limit)
        except Exception as error:
            self._retry_later(error)
            return
        self._retry = 0.0
        # It is written in the reader's next turn, when there is room and nothing else is on its way.
        self._fetched = _Fetched(page, matcher)
        self.outbox.delivery.catchup.add(self)

    def _retry_later(self, error: Exception) -> None:
        """Ask again, each time later, and say so each time; where it fails only the first time."""
        is_away = self.engine.remote and isinstance(error, SwarmwireError | OSError)
        if is_away:  # which says enough
            log.warning("the log cannot be read just now: %s", error, extra={"position": self.position})
        elif not self._retry:
            log.error("the log could not be read; trying again", exc_info=error, extra={"position": self.position})
        else:
            log.error("the log can still not be read: %s", error, extra={"position": self.position})
        most = _REMOTE_RETRY_MOST if is_away else _FETCH_RETRY_MOST
        self._retry = min(2 * self._retry, most) if self._retry else _FETCH_RETRY
        self.outbox.delivery.clock.call_later(self._retry, lambda: self.outbox.delivery.catchup.add(self))

    def _write(self, page: Page) -> Cost:
        evicted = self.engine.evicted(self._matcher())
        payloads = self._announce_gap(evicted.whole) if self.position < evicted.whole else []
        # What was evicted while the page was fetched is announced as lost already.
        entries = [entry for entry in page.entries if entry.seq > self.position]
        if self.position < evicted.partly:
            payloads += self._weave(entries, page.upto, evicted.partly)
            entries = [entry for entry in entries if entry.seq > self.position]
        payloads += self._take(entries)
        self.position = max(page.upto, self.position)
        done = self.position >= self.engine.head
        if done:
            payloads += self._last_words()
        size = sum(map(len, payloads))
        if payloads:
            self.outbox.write_events(payloads)
        if done:
            self._arrive()
        return Cost(size, max(1, page.scanned), not done)

    @property
    def written(self) -> int:
        """Everything up to here was written, or will not be."""
        return self.position

    def _take(self, entries: list[Entry]) -> list[bytes]:
        events = self._encode([entry for entry in entries if self._wants(entry)])
        self.outbox.delivery.stats.deliveries += len(events)
        return events

    def _weave(self, entries: list[Entry], upto: int, partly: int) -> list[bytes]:
        """Entries of a stretch of which others were evicted, with a gap wherever one may be missing."""
        payloads = []
        for entry in entries:
            if entry.seq > partly:
                break
            if entry.seq > self.position + 1:
                payloads += self._announce_gap(entry.seq - 1)
            payloads += self._take([entry])
            self.position = entry.seq
        end = min(partly, upto)
        return payloads + self._announce_gap(end) if self.position < end else payloads

    def _announce_gap(self, to: int) -> list[bytes]:
        after = self.outbox.cursor(self.position)
        self.position = to
        return [self.outbox.gap(after, to, "evicted", self._sub())]

    # ---- what differs between readers

    def _at_hand(self, matcher: Matcher, limit: PageLimit) -> Page | None:
        return self.engine.read(matcher, self.position, limit)

    async def _far(self, matcher: Matcher, limit: PageLimit) -> Page:
        return await self.engine.fetch(matcher, self.position, limit)

    def _put(self, page: Page) -> Cost:
        return self._write(page)

    def _matcher(self) -> Matcher:
        raise NotImplementedError

    def _wants(self, entry: Entry) -> bool:
        return entry.hidden_from is None or entry.hidden_from != self.outbox.instance

    def _encode(self, entries: list[Entry]) -> list[bytes]:
        return [entry.payload for entry in entries]

    def _sub(self) -> str | None:
        return None

    def _last_words(self) -> list[bytes]:
        return []

    def _arrive(self) -> None:
        raise NotImplementedError


class LagReader(Reader):
    """Brings the position that a client's live subscriptions share back to the head."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, outbox.position)

    def _write(self, page: Page) -> Cost:
        cost = super()._write(page)
        self.outbox.position = self.position
        return cost

    def _matcher(self) -> Matcher:
        return self.outbox.matcher

    def _encode(self, entries: list[Entry]) -> list[bytes]:
        if entries:
            self.outbox.told = entries[-1].seq
        return super()._encode(entries)

    def _wants(self, entry: Entry) -> bool:
        if not super()._wants(entry):
            return False
        # A subscription that joined while the client was behind wants nothing from before it joined. Once the
        # last of them has, what the matcher let through is wanted.
        return entry.seq > self.outbox.last_joined or any(
            entry.seq > member.joined and member.matches(entry.topic) for member in self.outbox.members.values()
        )

    def _arrive(self) -> None:
        self.outbox.live = True


class PlacedReader(Reader):
    """Replays the log from a place that was asked for, or first the last event of every topic.

    `floor` is the place up to which last events may be missing, as `notice` says.
    """

    def __init__(
        self, outbox: Outbox, position: int, *, snapshot_until: int | None = None, notice: bytes = b"", floor: int = 0
    ) -> None:
        super().__init__(outbox, position)
        self._notice = notice
        self._snapshot_until = snapshot_until
        self._floor = floor

    def step(self, limit: PageLimit) -> Cost:
        if self._notice:
            self.outbox.write_events([self._notice])
            self._notice = b""
        return super().step(limit)

    def _at_hand(self, matcher: Matcher, limit: PageLimit) -> Page | None:
        until = self._snapshot_until
        if until is None:
            return super()._at_hand(matcher, limit)
        return self.engine.latest(matcher, self.position, until, limit)

    async def _far(self, matcher: Matcher, limit: PageLimit) -> Page:
        until = self._snapshot_until
        if until is None:
            return await super()._far(matcher, limit)
        return await self.engine.fetch_latest(matcher, self.position, until, limit)

    def _put(self, page: Page) -> Cost:
        until = self._snapshot_until
        return super()._put(page) if until is None else self._write_snapshot(page, until)

    def _write_snapshot(self, page: Page, until: int) -> Cost:
        payloads = []
        # What changed after `until` comes from the log, and what was written already is not lost.
        floor = min(self.engine.latest_floor, until)
        if floor > max(self._floor, self.position):
            # Topics lost their last event while the snapshot was being written.
            after = self.outbox.cursor(max(self._floor, self.position))
            payloads.append(self.outbox.gap(after, floor, "evicted", self._sub()))
            self._floor = floor
        # What was lost while the page was fetched is announced as such, though it may be there.
        entries = [entry for entry in page.entries if entry.seq > self._floor and self._wants(entry)]
        events = self._encode_snapshot(entries)
        self.outbox.delivery.stats.deliveries += len(events)
        payloads += events
        self.position = page.upto
        if payloads:
            self.outbox.write_events(payloads)
        if page.upto >= until:
            self._snapshot_until = None
        return Cost(sum(map(len, payloads)), max(1, page.scanned), True)

    def _encode_snapshot(self, entries: list[Entry]) -> list[bytes]:
        return self._encode(entries)


class ReplayReader(PlacedReader):
    """The same for one subscription."""

    def __init__(
        self,
        subscription: Subscription,
        position: int,
        *,
        snapshot_until: int | None = None,
        notice: bytes = b"",
        floor: int = 0,
    ) -> None:
        super().__init__(subscription.outbox, position, snapshot_until=snapshot_until, notice=notice, floor=floor)
        self.subscription = subscription
        self._patterns = Matcher([subscription.pattern])

    def _matcher(self) -> Matcher:
        return self._patterns

    def _encode(self, entries: list[Entry]) -> list[bytes]:
        return [with_sub(entry.payload, self.subscription.quoted) for entry in entries]

    def _sub(self) -> str | None:
        return self.subscription.name

    def _last_words(self) -> list[bytes]:
        return [encode(Live(sub=self.subscription.name, cursor=self.outbox.cursor(self.position)))]

    def _arrive(self) -> None:
        self.subscription.replayed(self.position)


class ConflatingReader(ReplayReader):
    """Writes only the last event of each topic. It serves a replay, and then one tick after another.

    The last events are held until the reader is at the head, however many pages that takes; if they come to more
    than an outbox may hold, they are written earlier.
    """

    def __init__(
        self,
        subscription: Subscription,
        position: int,
        *,
        snapshot_until: int | None = None,
        notice: bytes = b"",
        floor: int = 0,
        ticks: bool = False,
    ) -> None:
        super().__init__(subscription, position, snapshot_until=snapshot_until, notice=notice, floor=floor)
        self.is_reading = False
        self._ticks = ticks
        self._held: dict[str, tuple[Entry, int]] = {}
        self._held_bytes = 0
        self._held_after = position

    @property
    def written(self) -> int:
        return self._held_after if self._held else self.position

    def _encode(self, entries: list[Entry]) -> list[bytes]:
        if not self._held:
            self._held_after = self.position
        for entry in entries:
            former, skipped = self._held.pop(entry.topic, (None, -1))
            self._held[entry.topic] = (entry, skipped + 1)
            self._held_bytes += len(entry.payload) - (len(former.payload) if former is not None else 0)
        return self._release() if self._held_bytes > self.outbox.delivery.limits.outbox_bytes else []

    def _release(self) -> list[bytes]:
        quoted = self.subscription.quoted
        events = [conflated(entry.payload, quoted, skipped) for entry, skipped in self._held.values()]
        self._held.clear()
        self._held_bytes = 0
        return events

    def _encode_snapshot(self, entries: list[Entry]) -> list[bytes]:
        return [conflated(entry.payload, self.subscription.quoted, 0) for entry in entries]

    def _announce_gap(self, to: int) -> list[bytes]:
        # What is held stands before the gap.
        return self._release_counted() + super()._announce_gap(to)

    def _release_counted(self) -> list[bytes]:
        events = self._release()
        self.outbox.delivery.stats.deliveries += len(events)
        return events

    def _last_words(self) -> list[bytes]:
        events = self._release_counted()
        if not self._ticks:
            return events + super()._last_words()
        return [*events, encode(Position(cursor=self.outbox.cursor(self.position), sub=self.subscription.name))]

    def _arrive(self) -> None:
        self.is_reading = False
        if not self._ticks:
            super()._arrive()
