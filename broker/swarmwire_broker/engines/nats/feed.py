"""What one consumer brings: every message in its place, or none after one that is missing."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

from ...natslink.errors import LinkError
from ...natslink.headers import header, status_of
from ...natslink.link import Link
from ..entry import Entry
from .body import Topics, entry_of, place_of
from .ring import Ring

__all__ = ["Feed"]

log = logging.getLogger("swarmwire.broker.engine")

_ALIVE: Final = 100
"""The status of heartbeats and of flow control."""

_ATTEMPTS: Final = 4
"""Consumers that leave out the same events before it is believed that these are gone."""

_BEHIND: Final = 1_000
"""So many messages still to come, and a consumer counts as behind."""


_Message: TypeAlias = "tuple[bytes, bytes, bytes, bytes]"


class _Sure(NamedTuple):
    """Behind this place the log has let go nothing, until this time of the monotonic clock."""

    after: int
    until: float


_UNSURE: Final = _Sure(0, 0.0)


def _nobody(entry: Entry) -> None:
    """The listener until there is one."""


def _nothing(*_: object) -> None:
    """Who hears of it until somebody does."""


class Feed:
    """Takes the messages of one consumer after the other, and tells the listener of each event.

    Attributes:
        position: everything up to here was heard, as far as the filters match it.
        listener: called with each event, in order.
        missed: called with the place up to which the log may have let go what was to be heard next.
        floor: the lowest place that the log still holds, as far as is known.
        broken: called when the consumer must be made anew.
        unsure: called when the log may have let go what was not brought: it is to be asked, and `assure` to be called.
        is_behind: it was to bring much more, when it brought something last.
        was_heard: it brought anything since this was set to False.
        is_whole: no filter leaves anything out, so places rise by one.

    Arguments:
        turnover: seconds in which the log cannot let go what it has just taken.
    """

    def __init__(self, link: Link, ring: Ring, topics: Topics, *, turnover: float) -> None:
        self.position = 0
        self.listener: Callable[[Entry], None] = _nobody
        self.missed: Callable[[int], None] = _nothing
        self.broken: Callable[[str], None] = _nothing
        self.unsure: Callable[[], None] = _nothing
        self.floor = 1
        self.is_behind = False
        self.was_heard = False
        self.is_whole = False
        self._link = link
        self._ring = ring
        self._topics = topics
        self._turnover = turnover
        self._sure = (_UNSURE, _UNSURE)  # the last two answers
        self._relied = False  # on the last of them
        self._held: list[_Message] | None = None  # what cannot be taken before the log was asked
        self._inbox = b""
        self._next = 1
        self._ts = 0
        self._hole = -1  # where something was left out
        self._holes = 0  # and how often

    def begin(self, inbox: bytes, *, whole: bool) -> None:
        """A new consumer brings what lies behind the position, to this subject."""
        self._inbox = inbox
        self._next = 1
        self.is_whole = whole
        self.is_behind = False
        self.was_heard = True

    def move(self, position: int, *, renewed: bool = False) -> None:
        """Stand here, and take nothing until the next consumer."""
        self._inbox = b""
        self._held = None
        self.position = position
        if renewed:
            self._ts, self.floor = 0, 1
            self._sure = (_UNSURE, _UNSURE)

    def receive(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        """Take a message of the consumer."""
        self.was_heard = True
        if self._held is not None:
            self._held.append((subject, reply, headers, payload))
            return
        if subject == self._inbox:
            self._control(reply, headers)
            return
        seq, consumer_seq, ts, pending = place_of(reply)
        if consumer_seq != self._next:
            self.broken(f"message {consumer_seq} came instead of {self._next}")
            return
        if seq > self.position + 1 and not self._may_pass(seq - 1):
            self._hold(subject, reply, headers, payload)
            return
        self._next += 1
        if seq <= self.position:
            return
        # The servers' clocks may differ, and time may be set back; `ts` never falls within a log.
        ts = self._ts = ts if ts > self._ts else self._ts
        entry = entry_of(seq, ts, subject, headers, payload, self._topics)
        self.position = seq
        self.is_behind = pending > _BEHIND
        if entry is None:
            self._ring.advance(seq)
            return
        self._ring.append(entry)
        # Whatever fails in telling of it: it is stored, and so is what comes after it.
        try:
            self.listener(entry)
        except Exception:
            log.exception("an event could not be handed on", extra={"seq": seq, "topic": entry.topic})

    def _may_pass(self, seq: int) -> bool:
        """Go over what was not brought, up to here, if that is nothing, or if there is no help for it."""
        if self.is_whole:
            # What is missing may be there nevertheless: a server that is behind does not have it yet.
            self._holes = self._holes + 1 if self._hole == self.position else 1
            self._hole = self.position
            if self.floor <= self.position + 1 and self._holes < _ATTEMPTS:
                self.broken(f"nothing was brought from {self.position + 1} up to {seq}")
                return False
        elif self.floor <= self.position + 1:
            former, latest = self._sure
            now, position = monotonic(), self.position
            if (position >= latest.after and now <= latest.until) or (position >= former.after and now <= former.until):
                self._relied = True
                return True
            # What the filters match may have been let go before the consumer came to it, and it would not say so.
            self._held = []
            self.unsure()
            return False
        self.skip(seq)
        return True

    def _hold(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if self._held is not None:
            self._held.append((subject, reply, headers, payload))

    def assure(self, last: int, asked: float) -> None:
        """The log was asked at this time of the monotonic clock: it reached to `last`, and `floor` is known since."""
        sure = self._sure = self._sure[1], _Sure(last, asked + self._turnover)
        self._relied = False
        held, self._held = self._held, None
        if not held:
            return
        if self.floor > self.position + 1:
            self.broken("the log has let go what it was to bring")
            return
        # All of it was brought before the answer came, and until then nothing was let go that was to be heard.
        self._sure = (_Sure(0, math.inf), sure[1])
        inbox = self._inbox
        for message in held:
            if self._inbox == inbox:
                self.receive(*message)
        self._sure = sure

    @property
    def is_waiting(self) -> bool:
        """Whether something that was brought waits for the log to be asked."""
        return self._held is not None

    def ask_ahead(self, seconds: float) -> None:
        """Have the log asked now, if that were needed within these seconds and nothing should wait for it then."""
        if self._relied and monotonic() + seconds > self._sure[1].until:
            self.unsure()

    def skip(self, seq: int) -> None:
        """Go over what was not heard and will not be: what is left of it can be read."""
        self.missed(seq)
        self.position = seq
        self._ring.skip(seq)

    def _advance(self, seq: int) -> bool:
        """Nothing more matches up to here, if that is certain."""
        if seq > self.position:
            if not self._may_pass(seq):
                return False
            self.position = seq
            self._ring.advance(seq)
        return True

    def _control(self, reply: bytes, headers: bytes) -> None:
        """A heartbeat, or the question whether what was sent has arrived."""
        if status_of(headers) not in (0, _ALIVE):
            self.broken("the server has ended it")
            return
        consumer_seq, seq = header(headers, b"Nats-Last-Consumer"), header(headers, b"Nats-Last-Stream")
        if consumer_seq is not None and seq is not None:
            if int(consumer_seq) >= self._next:
                self.broken(f"{consumer_seq.decode()} messages were sent, and {self._next - 1} came")
                return
            self.is_behind = False
            if not self._advance(int(seq)):
                self._hold(self._inbox, reply, headers, b"")
                return
        stalled = reply or header(headers, b"Nats-Consumer-Stalled")
        if stalled:
            try:
                self._link.publish(stalled, b"")
            except LinkError as problem:
                self.broken(str(problem))
