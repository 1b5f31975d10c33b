"""Calls that this broker hands to others, until their answers are there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final, Protocol

from msgspec import UNSET, Raw

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.pendingcall import PendingCall
from .bus import BusDown
from .messages import Ask, CallerFacts, Failed, GiveUp, Told
from .post import Post

__all__ = ["RETRY_MS", "Asking", "Refused", "unavailable"]

RETRY_MS: Final = 1_000
"""After how many milliseconds it is worth trying again, where a broker of the cluster is not there just now."""

_EARLIER: Final = 0.1
_SHARE: Final = 0.05
"""The other broker gives up so many seconds earlier, and at most this share: its own answer then comes in time."""


class Refused(Protocol):
    """Hears that nobody at another broker was handed a call, and why; whether somebody else has it now."""

    def __call__(self, call: PendingCall, error: SwarmwireError) -> bool: ...


def unavailable(sentence: str) -> SwarmwireError:
    """The error for what was certainly not done, and can be tried again soon."""
    return SwarmwireError(ErrorCode.UNAVAILABLE, sentence, retry_after_ms=RETRY_MS)


class _Asked:
    """A call that another broker answers; it is the worker of the call."""

    __slots__ = ("asking", "broker", "call", "lost", "number", "refused")

    def __init__(
        self,
        asking: Asking,
        number: int,
        broker: str,
        call: PendingCall,
        lost: Callable[[], SwarmwireError],
        refused: Refused | None,
    ) -> None:
        self.asking = asking
        self.number = number
        self.broker = broker
        self.call = call
        self.lost = lost
        self.refused = refused

    def cancel(self) -> None:
        """Nobody waits for the answer any more: tell the other broker. Harmless twice."""
        self.asking.give_up(self)


class Asking:
    """Sends each call once, to one broker, and never again; what is lost on the way ends by an error."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._asked: dict[int, _Asked] = {}
        self._loads: dict[tuple[str, str], int] = {}
        self._numbers = count(1)
        post.on(Told, self._told)
        post.on(Failed, self._failed)

    def __len__(self) -> int:
        return len(self._asked)

    def load(self, broker: str, method: str) -> int:
        """How many calls of a method a broker was handed from here and has not answered."""
        return self._loads.get((broker, method), 0)

    def hand(
        self,
        call: PendingCall,
        broker: str,
        params: Raw | None,
        lost: Callable[[], SwarmwireError],
        *,
        caller: CallerFacts | None = None,
        coordinated: bool = False,
        refused: Refused | None = None,
    ) -> None:
        """Let another broker answer a call.

        Arguments:
            lost: makes the error for the case that it can never be known what became of it.
            caller: who asks, for methods of the broker.
            coordinated: it is for the coordinator alone.
            refused: called where nobody there took it.

        Raises:
            SwarmwireError: UNAVAILABLE, it was not sent; MESSAGE_TOO_LARGE.
        """
        asked = _Asked(self, next(self._numbers), broker, call, lost, refused)
        left = call.deadline - call.clock.time()
        message = Ask(
            number=asked.number,
            method=call.method,
            seconds=max(0.0, left - min(_EARLIER, left * _SHARE)),
            params=UNSET if params is None else params,
            caller=caller,
            sender=call.asker.author.sender,
            coordinated=coordinated,
        )
        try:
            self._post.send(broker, message)
        except BusDown:
            raise unavailable("The broker that answers this cannot be reached just now.") from None
        self._asked[asked.number] = asked
        self._count(asked, 1)
        call.begin(asked)

    def give_up(self, asked: _Asked) -> None:
        """Let the other broker stop. Harmless where it has answered."""
        if self._take(asked) is not None:
            self._post.tell(asked.broker, GiveUp(number=asked.number))

    def lose(self, broker: str) -> None:
        """A broker is gone, or answers may have been lost: no answer of it is waited for any more."""
        for asked in [asked for asked in self._asked.values() if asked.broker == broker]:
            self._take(asked)
            asked.call.fail(asked.lost())

    # ---- answers

    def _told(self, sender: str, message: Told) -> None:
        asked = self._found(sender, message.number)
        if asked is None:
            return
        if message.more:
            self._more(asked, bytes(message.data))
        else:
            self._take(asked)
            asked.call.done(bytes(message.data), end=message.end)

    def _more(self, asked: _Asked, data: bytes) -> None:
        try:
            asked.call.more(data)
        except SwarmwireError:
            self.give_up(asked)

    def _failed(self, sender: str, message: Failed) -> None:
        asked = self._found(sender, message.number)
        if asked is None:
            return
        self._take(asked)
        error = _error(message)
        if message.untaken and asked.refused is not None and asked.refused(asked.call, error):
            return
        asked.call.fail(error)

    def _found(self, sender: str, number: int) -> _Asked | None:
        asked = self._asked.get(number)
        return asked if asked is not None and asked.broker == sender else None

    def _take(self, asked: _Asked) -> _Asked | None:
        found = self._asked.pop(asked.number, None)
        if found is not None:
            self._count(found, -1)
        return found

    def _count(self, asked: _Asked, by: int) -> None:
        key = (asked.broker, asked.call.method)
        load = self._loads.get(key, 0) + by
        if load:
            self._loads[key] = load
        else:
            self._loads.pop(key, None)


def _error(message: Failed) -> SwarmwireError:
    try:
        code = ErrorCode(message.code)
    except ValueError:  # of a newer version
        code = ErrorCode.INTERNAL_ERROR
    return SwarmwireError(
        code,
        message.message,
        field=message.field,
        retry_after_ms=message.retry_after_ms,
        details=None if message.details is UNSET else message.details,
        handler_code=message.handler_code,
    )
