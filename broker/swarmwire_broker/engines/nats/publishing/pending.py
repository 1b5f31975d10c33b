"""A publish on its way into the stream, and what is known of it."""

from __future__ import annotations

from enum import Enum
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...entry import Draft

__all__ = ["Pending", "Stage", "new_pending", "too_large", "too_large_for_stream", "unavailable", "unknown"]

RETRY_MS = 1_000
"""When whoever was refused may try again."""


class Stage(Enum):
    """How far a publish is. `REFUSED` and `UNKNOWN` are decided on when all that were sent with it are."""

    WAITING = "not sent yet, or to be sent again"
    FLYING = "sent"
    STORED = "in the stream"
    REFUSED = "certainly not stored"
    UNKNOWN = "nobody said what became of it"
    FAILED = "given up, with an error"


_WAITING: Final = Stage.WAITING


class Pending:
    """A publish until it is answered.

    Attributes:
        message_id: by this the stream knows it again; empty: it does not.
        since: when it was taken, by the steady clock in milliseconds, where it has an id.
        tick: when it was taken or sent last, in ticks of the window.
        taken: when it was taken, in the same.
        after: a place that the log had reached when it was sent.
        size: its bytes, as the window counts them while it flies.
        doubtful: it may have been stored by an earlier attempt.
        again: it was stored before under its id, by somebody else.
    """

    __slots__ = (
        "after",
        "again",
        "doubtful",
        "draft",
        "error",
        "message_id",
        "seq",
        "since",
        "size",
        "stage",
        "taken",
        "tick",
    )

    def __init__(self, draft: Draft, message_id: bytes, since: int, tick: int) -> None:
        self.draft = draft
        self.message_id = message_id
        self.since = since
        self.taken = tick
        self.tick = tick
        self.stage = _WAITING
        self.seq = 0
        self.after = 0
        self.size = 0
        self.error: SwarmwireError | None = None
        self.doubtful = False
        self.again = False

    def fail(self, error: SwarmwireError) -> None:
        """Give it up."""
        self.stage = Stage.FAILED
        self.error = error

    def give_up(self) -> None:
        """Give it up, with what can be said of it."""
        self.fail(unknown() if self.doubtful or self.stage is Stage.UNKNOWN else unavailable())

    def wait_again(self) -> None:
        """Have it sent once more."""
        self.doubtful |= self.stage is Stage.UNKNOWN
        self.stage = Stage.WAITING


def new_pending(draft: Draft, message_id: bytes, since: int, tick: int) -> Pending:
    """A `Pending` of these parts."""
    item = Pending.__new__(Pending)
    item.draft = draft
    item.message_id = message_id
    item.since = since
    item.taken = item.tick = tick
    item.stage = _WAITING
    item.seq = item.after = item.size = 0
    item.error = None
    item.doubtful = item.again = False
    return item


def unavailable(sentence: str = "The log cannot be written just now.") -> SwarmwireError:
    """The error of a publish that was certainly not stored."""
    return SwarmwireError(ErrorCode.UNAVAILABLE, sentence, retry_after_ms=RETRY_MS)


def unknown() -> SwarmwireError:
    """The error of a publish that may be stored, or may be found stored later."""
    return SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "The log did not say whether the event was stored.")


def too_large_for_stream() -> SwarmwireError:
    """The error of a publish that the log's stream does not take, though its servers do."""
    return SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, "The log's stream takes no event of this size.", field="data")


def too_large(size: int, limit: int) -> SwarmwireError:
    """The error of a publish that the servers do not take."""
    return SwarmwireError(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"The log takes events of at most {limit} bytes with their headers; this one has {size}.",
        field="data",
    )
