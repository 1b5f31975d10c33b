"""What the broker tells the holder of a task at once: that it is not theirs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from swarmwire_protocol import messages as wire
from swarmwire_protocol.payload import decode_data

from ..errors import ErrorCode, SwarmwireError
from .records import TaskLost

__all__ = ["Revocations", "Revoked"]

Revoked: TypeAlias = Callable[[TaskLost], None]
"""Called once when a task was taken away."""

_CODES: Final = {
    "cancelled": ErrorCode.CANCELLED,
    "closed": ErrorCode.CANCELLED,
    "retrying": ErrorCode.FENCED,
    "failed": ErrorCode.FENCED,
}
"""The events that end a claim from outside, and the error that a renewal would get."""

_MOST_EARLY: Final = 1_024
"""Claims that may be over before their block has begun; of more a renewal tells."""


class Revocations:
    """The claims of one client by their tokens, and the direct events that end them.

    Such an event is the broker's own: it has no `from`, which those of clients always have. It may come before whoever
    asked for the task has looked at the answer, so it is kept while anybody claims.
    """

    def __init__(self) -> None:
        self._held: dict[int, Revoked] = {}
        self._early: dict[int, TaskLost] = {}
        self._claiming = 0

    def take(self, message: wire.Event) -> bool:
        """Take a direct event, if it is one of these."""
        parts = message.topic.split(".")
        token = (message.headers or {}).get("token", "")
        if message.from_ is not None or len(parts) != 3 or parts[0] != "task" or parts[2] not in _CODES:
            return False
        if not (token.isascii() and token.isdecimal()):
            return False
        self._end(int(token), TaskLost(_CODES[parts[2]], _sentence(parts[2], message)))
        return True

    def _end(self, token: int, lost: TaskLost) -> None:
        if (revoked := self._held.pop(token, None)) is not None:
            # Not from within whatever call of the holder's own has brought it.
            asyncio.get_running_loop().call_soon(revoked, lost)
        elif self._claiming:
            self._early[token] = lost
            if len(self._early) > _MOST_EARLY:
                del self._early[next(iter(self._early))]

    @contextmanager
    def claiming(self) -> Iterator[None]:
        """Somebody asks for a task, and will `hold` it within."""
        self._claiming += 1
        try:
            yield
        finally:
            self._claiming -= 1
            if not self._claiming:
                self._early.clear()

    def hold(self, token: int, revoked: Revoked) -> None:
        """Call this when the claim is ended from outside, also when it was already."""
        self._held[token] = revoked
        if (lost := self._early.pop(token, None)) is not None:
            self._end(token, lost)

    def let_go(self, token: int) -> None:
        """The claim is over. Harmless twice."""
        self._held.pop(token, None)


def _sentence(event: str, message: wire.Event) -> str:
    try:
        data: Any = decode_data(message.data)
    except SwarmwireError:
        data = None
    if not isinstance(data, dict):
        return "The task was taken away."
    fault = data.get("error")
    if isinstance(fault, dict) and isinstance(fault.get("message"), str):
        return str(fault["message"])
    reason = data.get("reason")
    return f"The task was {event}: {reason}" if isinstance(reason, str) else f"The task was {event}."
