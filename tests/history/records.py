"""What publishers and subscribers saw, one record each: the words a history is written in.

Every record has its moment on the machine's monotonic clock, in seconds, and names its client. An event is known by
the number in its payload, which is unique in a history.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "Acked",
    "Audited",
    "Complete",
    "Connected",
    "Ended",
    "Fault",
    "Granted",
    "Held",
    "Lost",
    "Missed",
    "Mode",
    "Parted",
    "Publishing",
    "Record",
    "Refused",
    "Seen",
    "Settled",
    "Setup",
    "Start",
    "Stopped",
    "Stuck",
    "Subscribed",
    "Subscribing",
    "Unknown",
    "Unsubscribed",
]

Mode: TypeAlias = Literal["all", "drop_oldest", "disconnect", "conflate"]
Start: TypeAlias = Literal["now", "start", "latest", "cursor", "last", "since"]


class _Record(Struct, tag_field="what", tag=str.lower, frozen=True, kw_only=True, omit_defaults=True):
    at: float
    client: str = ""


# ---- the world


class Setup(_Record, frozen=True, kw_only=True):
    """What the broker was told: the first record of a history.

    `durable` says whether the log must outlive the broker's process. The limits are those of the settings' names;
    None is no limit.
    """

    engine: str
    durable: bool = False
    log_events: int | None = None
    latest_topics: int | None = None
    seed: int = 0


class Fault(_Record, frozen=True, kw_only=True):
    """Something was broken, or healed, on purpose; for whoever reads the history."""

    text: str


class Stopped(_Record, frozen=True, kw_only=True):
    """From `since` to now the broker's process was stopped, or the machine too busy to let it run in time."""

    since: float


class Parted(_Record, frozen=True, kw_only=True):
    """From `since` to now a server that held the log was cut off from the others, and did not know it at first."""

    since: float


class Settled(_Record, frozen=True, kw_only=True):
    """Nothing was published or broken any more, and everybody had the time to receive everything."""


class Held(_Record, frozen=True, kw_only=True):
    """Somebody who read the log past the broker found this event at this place."""

    epoch: str
    seq: int
    number: int


class Audited(_Record, frozen=True, kw_only=True):
    """The log was read so from the place `first` to its end `last`; what it holds there was written down as `Held`."""

    epoch: str
    first: int
    last: int


# ---- connections


class Connected(_Record, frozen=True, kw_only=True):
    """The broker said welcome; its log is `epoch`."""

    epoch: str


class Lost(_Record, frozen=True, kw_only=True):
    """The connection ended."""

    code: int


class Granted(_Record, frozen=True, kw_only=True):
    """The client may subscribe to what these patterns cover, from now `until` a moment on the monotonic clock."""

    subscribe: list[str]
    until: float | None = None


# ---- publishing


class Publishing(_Record, frozen=True, kw_only=True):
    """`publish()` was called. `digest` is a checksum of the payload; without `echo` it is not for the client itself."""

    number: int
    topic: str
    digest: int
    echo: bool = True
    clear: bool = False


class Acked(_Record, frozen=True, kw_only=True):
    """`publish()` returned: the event has this place."""

    number: int
    epoch: str
    seq: int
    duplicate: bool = False


class Refused(_Record, frozen=True, kw_only=True):
    """`publish()` failed with an error that says that it was not done."""

    number: int
    code: str


class Unknown(_Record, frozen=True, kw_only=True):
    """`publish()` failed, and may have been done all the same."""

    number: int
    code: str


# ---- subscribing


class Subscribing(_Record, frozen=True, kw_only=True):
    """A subscription was asked for. `value` is the cursor, count or time that `start` needs.

    `roomy` says that the iterator has room for all that is ever published, so that only the broker thins.
    """

    sub: str
    pattern: str
    mode: Mode = "all"
    start: Start = "now"
    value: str | int | None = None
    roomy: bool = True


class Subscribed(_Record, frozen=True, kw_only=True):
    """The broker accepted it; `cursor` is where it begins, if that is a place."""

    sub: str
    cursor: str | None = None


class Complete(_Record, frozen=True, kw_only=True):
    """A snapshot was received as a whole before now: after a loss the subscription goes on from its cursor."""

    sub: str


class Seen(_Record, frozen=True, kw_only=True):
    """The subscription's iterator gave an event."""

    sub: str
    topic: str
    epoch: str
    seq: int
    number: int
    digest: int
    ts: int = 0
    skipped: int | None = None


class Missed(_Record, frozen=True, kw_only=True):
    """The subscription's iterator gave a gap, between two cursors."""

    sub: str
    start: str
    end: str
    reason: str
    dropped: int | None = None


class Unsubscribed(_Record, frozen=True, kw_only=True):
    """`unsubscribe()` returned."""

    sub: str


class Ended(_Record, frozen=True, kw_only=True):
    """The iterator, or the subscribe, failed with this code."""

    sub: str
    code: str


class Stuck(_Record, frozen=True, kw_only=True):
    """Everything was healed and waited for long enough, but the subscription did not get to the end of the log."""

    sub: str


Record: TypeAlias = (
    Setup
    | Fault
    | Stopped
    | Parted
    | Settled
    | Held
    | Audited
    | Connected
    | Lost
    | Granted
    | Publishing
    | Acked
    | Refused
    | Unknown
    | Subscribing
    | Subscribed
    | Complete
    | Seen
    | Missed
    | Unsubscribed
    | Ended
    | Stuck
)
