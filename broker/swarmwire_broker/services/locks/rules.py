"""What the broker decides about locks; nothing here waits, or knows the time."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import ANONYMOUS
from .record import Holder, LockRecord

__all__ = ["Losses", "Turn", "check_holder", "decide"]


class Turn(Enum):
    """What becomes of somebody who asks for a lock."""

    GRANT = "grant"
    """It is free, and theirs."""
    CONTINUE = "continue"
    """It is theirs already."""
    QUEUE = "queue"
    """Somebody else has it; they wait behind those who wait."""
    REFUSE = "refuse"
    """Somebody else has it, and they do not wait."""
    FULL = "full"
    """Too many wait already."""


def decide(record: LockRecord | None, holder: Holder, *, waits: bool, waiting: int, most: int) -> Turn:
    """The turn of who asks for a lock; `waiting` others do already, and at most `most` may."""
    if record is None:
        return Turn.GRANT
    if record.holder == holder:
        return Turn.CONTINUE
    if not waits:
        return Turn.REFUSE
    return Turn.QUEUE if waiting < most else Turn.FULL


class Losses:
    """The newest locks that were taken from their holders, so that these can be told so."""

    MOST: Final = 10_000

    def __init__(self) -> None:
        self._tokens: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, token: int) -> bool:
        return token in self._tokens

    def add(self, token: int) -> None:
        """The holder with this token has lost its lock."""
        self._tokens[token] = None
        while len(self._tokens) > self.MOST:
            self._tokens.popitem(last=False)


def check_holder(name: str, record: LockRecord | None, token: int, scope: str, losses: Losses) -> LockRecord:
    """The record of a lock, if the token is that of its holder.

    Where clients log in, who shows it has to be the same subject; where they do not, the token is the proof.

    Raises:
        SwarmwireError: LOCK_LOST where it was taken from who held it by this token; NOT_FOUND where nobody has it;
            FENCED for a token of an earlier holder; CONFLICT for one that was never given out for it;
            PERMISSION_DENIED for another subject.
    """
    if token in losses:
        raise _error(ErrorCode.LOCK_LOST, f"The lock {name!r} was taken from who held it by this token.", "token")
    if record is None:
        raise _error(ErrorCode.NOT_FOUND, f"Nobody has the lock {name!r}.", "name")
    if token < record.token:
        raise _error(ErrorCode.FENCED, f"The lock {name!r} has a newer holder.", "token")
    if token > record.token:
        raise _error(ErrorCode.CONFLICT, f"This is no token of the lock {name!r}.", "token")
    if scope != record.scope and not record.scope.startswith(ANONYMOUS):
        raise _error(ErrorCode.PERMISSION_DENIED, f"The lock {name!r} is another subject's.", "token")
    return record


def _error(code: ErrorCode, sentence: str, field: str) -> SwarmwireError:
    return SwarmwireError(code, sentence, field=f"params.{field}")
