"""What the SDK hands to users: events, gaps, the end of a replay, and what became of a publish."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Event", "Gap", "Live", "Published"]


class Event(msgspec.Struct, frozen=True):
    """One event.

    Attributes:
        topic: where it was published.
        data: what was published, as Python objects.
        seq: its place in the broker's log; None for an ephemeral event.
        ts: when the broker took it, in milliseconds since 1970.
        cursor: the place behind it, for `from_={"cursor": ...}`; None for an ephemeral event.
        sender: the identity of who published it, as the broker vouches for it.
        headers: what the publisher sent beside the data.
        skipped: how many earlier events of the topic this one stands for, in a conflating subscription.
        clear: whether it takes its topic out of the table of last events.
    """

    topic: str
    data: Any
    seq: int | None
    ts: int
    cursor: str | None = None
    sender: str | None = None
    headers: dict[str, str] = {}
    skipped: int | None = None
    clear: bool = False

    @property
    def ephemeral(self) -> bool:
        """Whether the event was live only: it has no place in the log."""
        return self.seq is None


class Gap(msgspec.Struct, frozen=True):
    """Events may be missing here: those after the cursor `start`, up to and with the cursor `end`.

    `reason` is `evicted` (the log no longer holds them), `overflow` (this subscription asked for oldest events to
    be dropped), `epoch` (the log was recreated) or `denied` (the identity may no longer read them). `dropped` is
    their number where it is known exactly. `pattern` is that of the subscription.
    """

    start: str
    end: str
    reason: str
    pattern: str
    dropped: int | None = None

    @property
    def cursor(self) -> str:
        """The place behind the gap."""
        return self.end


class Live(msgspec.Struct, frozen=True):
    """The past is complete: what stood in the log, or in the snapshot, came before this; what is new comes after.

    `cursor` is the place behind all of it. `pattern` is that of the subscription.
    """

    cursor: str
    pattern: str


class Published(msgspec.Struct, frozen=True):
    """The event is as durable as the broker promises. `seq` is its place in the log (None: ephemeral).

    `duplicate` says that the broker had already taken a publish with this key, and `seq` is that one's.
    """

    seq: int | None
    duplicate: bool = False
