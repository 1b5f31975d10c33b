"""How much may be on its way into the stream, and for how long."""

from __future__ import annotations

import msgspec

__all__ = ["Patience"]


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a window. Times are in ticks: calls of `Window.tick`, four a second.

    Attributes:
        flying, flying_bytes: what is sent and not acknowledged; more waits here. A stream refuses more than 10,000.
        answer: after this an acknowledgement does not come any more.
        heard: after this the acknowledgement of a publish does not wait for the follower any more.
        outcome: after this a publish is answered, whatever can be said of it.
    """

    flying: int = 4_096
    flying_bytes: int = 8 * 1024 * 1024
    answer: int = 20
    heard: int = 8
    outcome: int = 40
