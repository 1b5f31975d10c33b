"""The states of a task and the one table that says which command leads from which to which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

__all__ = ["ENDED", "TABLE", "Command", "State", "next_state"]


class State(StrEnum):
    """Where a task stands. The three ends are final: what is tried again is a new task."""

    PENDING = "pending"
    RUNNING = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CLOSED = "closed"


ENDED: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
"""The states that a task does not leave."""


class Command(StrEnum):
    """What can be asked of a task. `GIVE_BACK` is also what becomes of a claim that lapsed or is tried again."""

    CLAIM = "claim"
    RENEW = "renew"
    PROGRESS = "progress"
    COMPLETE = "complete"
    FAIL = "fail"
    GIVE_BACK = "give back"
    MESSAGE = "message"
    CANCEL = "cancel"
    CLOSE = "close"
    RESUME = "resume"
    RETRY = "retry"


_P, _R, _D, _F, _X, _Z = State.PENDING, State.RUNNING, State.COMPLETED, State.FAILED, State.CANCELLED, State.CLOSED
_FENCED, _GIVEN_UP, _CONFLICT = ErrorCode.FENCED, ErrorCode.CANCELLED, ErrorCode.CONFLICT

TABLE: Final[Mapping[Command, tuple[State | ErrorCode, ...]]] = MappingProxyType(
    {
        # from:             pending    in-progress completed  failed     cancelled  closed
        Command.CLAIM: (_R, _CONFLICT, _CONFLICT, _CONFLICT, _CONFLICT, _CONFLICT),
        Command.RENEW: (_FENCED, _R, _FENCED, _FENCED, _GIVEN_UP, _GIVEN_UP),
        Command.PROGRESS: (_FENCED, _R, _FENCED, _FENCED, _GIVEN_UP, _GIVEN_UP),
        Command.COMPLETE: (_FENCED, _D, _FENCED, _FENCED, _GIVEN_UP, _GIVEN_UP),
        Command.FAIL: (_FENCED, _F, _FENCED, _FENCED, _GIVEN_UP, _GIVEN_UP),
        Command.GIVE_BACK: (_FENCED, _P, _FENCED, _FENCED, _GIVEN_UP, _GIVEN_UP),
        Command.MESSAGE: (_P, _R, _CONFLICT, _CONFLICT, _CONFLICT, _Z),
        Command.CANCEL: (_X, _X, _CONFLICT, _CONFLICT, _CONFLICT, _X),
        Command.CLOSE: (_Z, _Z, _CONFLICT, _CONFLICT, _CONFLICT, _CONFLICT),
        Command.RESUME: (_CONFLICT, _CONFLICT, _CONFLICT, _CONFLICT, _CONFLICT, _P),
        Command.RETRY: (_CONFLICT, _CONFLICT, _D, _F, _X, _CONFLICT),
    }
)
"""For each command what it leads to from each state, in the order of `State`: a state, or the error that it is."""

_PLACES: Final = MappingProxyType({state: place for place, state in enumerate(State)})


def next_state(state: State, command: Command) -> State:
    """The state in which a task is after a command.

    Raises:
        SwarmwireError: FENCED to a worker whose claim has ended; CANCELLED, where somebody has taken the task away from
            all workers; CONFLICT, where the command makes no sense in this state.
    """
    found = TABLE[command][_PLACES[state]]
    if isinstance(found, State):
        return found
    raise SwarmwireError(found, f"The task is {state}; it cannot take: {command}.", field="params.id")
