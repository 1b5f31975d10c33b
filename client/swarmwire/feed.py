"""One subscription as the wire sees it: its name, its place in the log, and whether events are for it."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable

from swarmwire_protocol import messages as wire
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import StartAt

from .errors import SwarmwireError
from .inbox import Inbox
from .options import Ask
from .records import Gap, Live

__all__ = ["Feed", "FeedState"]

_NOWHERE = -1


class FeedState(enum.Enum):
    """Where a subscription stands with the broker."""

    IDLE = "not asked for on this connection"
    ASKED = "asked for, not yet answered"
    REPLAYING = "reads the past; its events come addressed to it"
    LIVE = "takes what is new"
    PAUSED = "its iterator is full; the broker was told to stop"
    ENDED = "no more"


class Feed:
    """The state of a subscription over all connections.

    Its place (`epoch`, `seq`) is what was *received*: moved by events, gaps, live and positions, and by the first
    acknowledgement, which says where it begins. It is what the subscription is asked for again with, so that what
    was promised with the acknowledgement holds even if nothing else came. `with_live`: the inbox gets a `Live`
    where the past is complete for the first time.
    """

    def __init__(self, name: str, ask: Ask, inbox: Inbox, *, with_gaps: bool = False, with_live: bool = False) -> None:
        self.name = name
        self.ask = ask
        self.inbox = inbox
        self.with_gaps = with_gaps
        self.with_live = with_live
        self.moved: Callable[[], None] | None = None
        """Called when the place moved by something that is no event."""
        self.state = FeedState.IDLE
        self.snapshot = ask.start == "latest"
        """Whether a snapshot is not complete yet: it can only be asked for again as a whole."""
        self.acknowledged = False
        self.settled = asyncio.Event()
        """Set once the broker has answered, or never will."""
        self.error: SwarmwireError | None = None
        self.epoch, self.seq = "", _NOWHERE
        self.first: str | None = None
        """Where it began, if that is a place: nothing was received then, and all that follows will be."""
        begin = ask.start.cursor if isinstance(ask.start, StartAt) else ask.had
        if begin is not None:
            self.move(Cursor.parse(begin))
            self.first = begin

    @property
    def cursor(self) -> str | None:
        """The place up to which everything was received; None while that is not known."""
        return f"{self.epoch}:{self.seq}" if self.seq != _NOWHERE else None

    @property
    def listens(self) -> bool:
        """Whether what is addressed to it is for it."""
        return self.state in (FeedState.ASKED, FeedState.REPLAYING, FeedState.LIVE)

    def request(self, epoch: str) -> wire.Subscription:
        """What to send the broker, whose log is `epoch`, to have this subscription (again)."""
        self.state = FeedState.ASKED
        start = self.ask.start
        if self.seq == _NOWHERE:
            self.epoch = epoch
        elif not self.snapshot:
            start = StartAt(cursor=self.cursor)
        return wire.Subscription(
            pattern=self.ask.pattern, sub=self.name, from_=start, mode=self.ask.mode, queue_size=self.ask.queue_size
        )

    def begin_anew(self, epoch: str) -> Gap | None:
        """Turn a snapshot that was not complete when its log was recreated into one of the new log.

        Returns the gap between the two, which is queued where gaps are wanted: none is told by the broker, to which
        this is a new subscription.
        """
        if not self.snapshot or self.cursor is None or self.epoch == epoch:
            return None
        gap = Gap(self.cursor, f"{epoch}:0", "epoch", self.ask.pattern)
        if self.with_gaps:
            self.inbox.put(gap)
        self.epoch, self.seq = epoch, _NOWHERE
        return gap

    def accepted(self, cursor: Cursor) -> None:
        """The broker acknowledged the subscription at this cursor."""
        if self.seq == _NOWHERE:
            self.epoch = cursor.epoch
            if not self.snapshot:
                self.move(cursor)
                self.first = str(cursor)
        if self.state is FeedState.ASKED:  # a live that came first is not taken back
            self.state = FeedState.REPLAYING if self.replays else FeedState.LIVE
        if self.state is FeedState.LIVE:
            self._past_is_complete(cursor)
        self.acknowledged = True
        self.settled.set()
        self._tell_moved()

    @property
    def replays(self) -> bool:
        """Whether the broker was asked for something past, and will say `live` when it is complete."""
        return self.ask.start != "now" or self.acknowledged

    def went_live(self, cursor: Cursor) -> None:
        """The replay is complete."""
        self.state = FeedState.LIVE
        self.snapshot = False
        self._past_is_complete(cursor)
        self.move(cursor)
        self._tell_moved()

    def reached(self, cursor: Cursor) -> None:
        """The broker said that everything up to here was sent."""
        self.move(cursor)
        self._tell_moved()

    def move(self, cursor: Cursor) -> None:
        """Everything up to here was received. Within an epoch it never goes back."""
        if cursor.epoch != self.epoch or cursor.seq > self.seq:
            self.epoch, self.seq = cursor.epoch, cursor.seq

    def take(self, message: wire.Event) -> bool:
        """Queue the event unless it was there before; False if the iterator is full, and nothing has changed then."""
        seq = message.seq
        if seq is None:
            if not self.inbox.full:  # an ephemeral event is owed to nobody
                self.inbox.put((message, self.epoch))
            return True
        if seq <= self.seq:
            return True
        if not self._has_room():
            return False
        self.seq = seq
        self.inbox.put((message, self.epoch))
        return True

    def missed(self, gap: Gap, end: Cursor) -> Gap | None:
        """What of a gap is news here: a subscription that began later, or read on its own, has received a part."""
        if gap.reason not in ("evicted", "overflow") or end.epoch != self.epoch:
            return gap
        if end.seq <= self.seq:
            return None
        start = Cursor.parse(gap.start)
        if start.epoch != self.epoch or start.seq >= self.seq:
            return gap
        return Gap(f"{self.epoch}:{self.seq}", gap.end, gap.reason, gap.pattern)

    def pass_gap(self, gap: Gap, end: Cursor) -> bool:
        """Queue the gap if the iterator wants gaps, and go on behind it; False if the iterator is full."""
        if self.with_gaps:
            if not self._has_room():
                return False
            self.inbox.put(gap)
        if gap.reason == "epoch":
            # Also back within one epoch: the broker's log may have lost its end.
            self.epoch, self.seq = end.epoch, end.seq
        elif not self.snapshot:
            # A snapshot holds events older than what the broker dropped from its table, so they must still pass.
            self.move(end)
        self._tell_moved()
        return True

    def stop(self, error: SwarmwireError | None) -> None:
        """Nothing more comes: by intent, or for the error."""
        self.state = FeedState.ENDED
        self.error = error
        self.inbox.end(error)
        self.settled.set()

    def _past_is_complete(self, cursor: Cursor) -> None:
        if self.with_live:
            self.with_live = False
            self.inbox.put(Live(str(cursor), self.ask.pattern))

    def _tell_moved(self) -> None:
        if self.moved is not None:
            self.moved()

    def _has_room(self) -> bool:
        while self.inbox.full:
            if self.ask.mode != "drop_oldest":
                return False
            self.inbox.drop_oldest(self.ask.pattern)
        return True
