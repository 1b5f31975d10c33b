"""The cursor: a place in a log, as one opaque string on the wire."""

from __future__ import annotations

import re
import secrets

from msgspec import Struct

from .errors import ErrorCode, SwarmwireError
from .messages import MAX_SEQ

__all__ = ["Cursor", "new_epoch"]

_CURSOR = re.compile(r"([A-Za-z0-9_-]{1,64}):(0|[1-9][0-9]{0,15})")


class Cursor(Struct, frozen=True):
    """The place behind event `seq` of the log that is named `epoch`; `seq` 0 is the place before the first.

    Cursors have no order: where the epochs differ, neither is the later.
    """

    epoch: str
    seq: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read `<epoch>:<seq>`; raises INVALID_MESSAGE for anything else."""
        found = _CURSOR.fullmatch(text)
        if found and (seq := int(found[2])) <= MAX_SEQ:
            return cls(found[1], seq)
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            "A cursor is <epoch>:<seq>, an epoch of 1 to 64 letters, digits, _ or - and a whole number "
            f"from 0 to {MAX_SEQ}; {text[:100]!a} is none.",
        )

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def new_epoch() -> str:
    """A name for a new log, 16 random hexadecimal digits."""
    return secrets.token_hex(8)
