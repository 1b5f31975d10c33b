"""What one broker knows of the lease that makes a broker the coordinator, and what follows from it. No I/O."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

__all__ = ["LEASE", "Known", "PATIENCE", "RENEWAL", "Renewal", "Tenure", "decode_renewal", "encode_renewal"]

RENEWAL: Final = 1.0
"""Seconds from one renewal to the next."""
LEASE: Final = 3.0
"""Seconds for which a renewal holds, from when it was sent, by the clock of whoever sent it."""
_TRIES: Final = 8
"""Renewals without an answer that are remembered."""
PATIENCE: Final = 4.0
"""Seconds without a renewal, by the clock of whoever waits for one, after which the lease may be taken."""


class Renewal(Struct, frozen=True, omit_defaults=True):
    """A message of the lease. What later versions add is passed over.

    Attributes:
        holder: the id of the broker that has it; empty: it was given back.
        n: the number of the try, so that whoever got no answer knows its own again.
    """

    holder: str
    n: int = 0


_decoder: Final = msgspec.json.Decoder(Renewal)


def encode_renewal(renewal: Renewal) -> bytes:
    return msgspec.json.encode(renewal)


def decode_renewal(payload: bytes) -> Renewal:
    """The renewal that a message is; msgspec.DecodeError for what is none."""
    return _decoder.decode(payload)


class Known(NamedTuple):
    """The last message of the lease that is known: its place, whose it is, and since when it is known."""

    seq: int = 0
    holder: str = ""
    since: float = 0.0


class Tenure:
    """The lease as one broker sees it. All times are seconds by a clock of its own that only rises.

    Nobody takes the lease before `PATIENCE` without a renewal has passed, and whoever has it stops `LEASE` after it
    sent the last one that was stored: so no two have it at once, as long as their clocks go at about the same pace.

    Attributes:
        known: the last message of the lease.
    """

    def __init__(self, me: str) -> None:
        self.known = Known()
        self._me = me
        self._sent = -LEASE
        self._number = 0
        # When the renewals were sent of which it is not known whether they are stored.
        self._tries: dict[int, float] = {}

    # ---- renewals of this broker

    def attempt(self, now: float) -> Renewal:
        """The renewal that is to be sent now."""
        self._number += 1
        self._tries[self._number] = now
        if len(self._tries) > _TRIES:
            del self._tries[next(iter(self._tries))]
        return Renewal(self._me, self._number)

    def refused(self, renewal: Renewal) -> None:
        """It was certainly not stored."""
        self._tries.pop(renewal.n, None)

    def renewed(self, seq: int, renewal: Renewal) -> None:
        """It is stored at `seq`."""
        self._sent = self._tries[renewal.n]
        self._tries.clear()
        self.known = Known(seq, self._me, self._sent)

    def give_back(self, now: float) -> None:
        """This broker wants it no more."""
        self._tries.clear()
        self._sent = -LEASE
        self.known = Known(self.known.seq, "", now)

    # ---- what is found and heard

    def observe(self, seq: int, renewal: Renewal, now: float) -> None:
        """The last message stands at `seq`. It may be one of this broker that got no answer."""
        if renewal.holder == self._me and renewal.n in self._tries:
            self.renewed(seq, renewal)
        elif seq != self.known.seq:
            self.known = Known(seq, renewal.holder, now)

    def hear(self, seq: int, renewal: Renewal, now: float) -> None:
        """A message was stored at `seq`; later ones may be known already."""
        if seq > self.known.seq:
            self.observe(seq, renewal, now)

    def gone(self) -> None:
        """It is not stored any more. Whoever had it may believe in it for a while."""
        self.known = self.known._replace(seq=0)

    # ---- what follows

    def holds(self, now: float) -> bool:
        """Whether this broker has the lease."""
        return self.known.holder == self._me and now < self._sent + LEASE

    def holder(self, now: float) -> str | None:
        """Who has it, as far as is known."""
        if self.known.holder == self._me:
            return self._me if self.holds(now) else None
        return self.known.holder if self.known.holder and now < self.known.since + PATIENCE else None

    def may_take(self, now: float) -> bool:
        """Whether this broker may take it, or take it again."""
        return self.known.holder in ("", self._me) or now >= self.known.since + PATIENCE

    def next_step(self, now: float) -> float:
        """Seconds until there is something to do if nothing is heard."""
        if self.holds(now):
            return max(0.0, self._sent + RENEWAL - now)
        return 0.0 if self.may_take(now) else self.known.since + PATIENCE - now
