"""Who asks for a lock, and the line of those who wait for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.caller import Caller
from ...core.ports import Timer
from .record import Acquired, Holder

__all__ = ["Ask", "Line"]


class Ask:
    """One call that asks for a lock. It gets it, or an error, or gives up, whichever comes first.

    Attributes:
        answer: set once it is decided.
        is_gone: whether nobody waits for the answer any more.
    """

    __slots__ = ("answer", "holder", "is_gone", "metadata", "name", "session", "timer", "ttl")

    def __init__(self, name: str, holder: Holder, session: Caller, ttl: int, metadata: bytes | None = None) -> None:
        self.name = name
        self.holder = holder
        self.session = session
        self.ttl = ttl
        self.metadata = metadata
        self.answer: asyncio.Future[Acquired] = asyncio.get_running_loop().create_future()
        self.timer: Timer | None = None
        self.is_gone = False

    def grant(self, token: int) -> None:
        """The lock is theirs; nothing where nobody waits any more."""
        if not self.answer.done():
            self.answer.set_result(Acquired(name=self.name, token=token, ttl=self.ttl))

    def fail(self, error: SwarmwireError) -> None:
        """They do not get it."""
        self.is_gone = True
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # who waited may be cancelled before it looks

    def time_out(self) -> None:
        """It did not become free while they would wait."""
        sentence = f"The lock {self.name!r} did not become free in time."
        self.fail(SwarmwireError(ErrorCode.LOCK_TIMEOUT, sentence, field="params.name"))

    def give_up(self) -> None:
        """Nobody waits for the answer any more."""
        self.is_gone = True
        self.answer.cancel()


class Line:
    """Those who wait for one lock, in the order in which they came; one place for each holder."""

    def __init__(self) -> None:
        self._asks: OrderedDict[Holder, Ask] = OrderedDict()

    def __len__(self) -> int:
        return len(self._asks)

    def __contains__(self, holder: Holder) -> bool:
        return holder in self._asks

    def join(self, ask: Ask) -> None:
        """Wait behind the others. Who waits already, as before a connection was lost, keeps the place it has."""
        before = self._asks.get(ask.holder)
        self._asks[ask.holder] = ask
        if before is not None:
            before.fail(SwarmwireError(ErrorCode.CANCELLED, "The same holder has asked again."))

    def leave(self, ask: Ask) -> None:
        """Wait no more. Harmless for who does not."""
        if self._asks.get(ask.holder) is ask:
            del self._asks[ask.holder]

    def first(self) -> Ask | None:
        """Who waits longest; None where nobody does."""
        return next(iter(self._asks.values()), None)
