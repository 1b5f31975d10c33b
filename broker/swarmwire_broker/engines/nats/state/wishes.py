"""Changes that somebody waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from swarmwire_protocol.errors import SwarmwireError

from ...base import Put
from ...entry import Draft
from .journal import new_change, size_of

__all__ = ["Wish", "Wishes"]


class Wish:
    """A change that somebody waits for.

    Attributes:
        sent: it may be committed already; as long as it is not, it can be taken back.
        revision: that it will have.
        decided: the revision it has, or the error.
    """

    __slots__ = ("appends", "change", "decided", "puts", "revision", "sent", "size")

    def __init__(self, puts: Sequence[Put], appends: Sequence[Draft]) -> None:
        self.puts = puts
        self.appends = appends
        self.change = new_change(puts, appends)
        self.size = size_of(self.change)
        self.decided: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.revision = 0
        self.sent = False

    @property
    def is_decided(self) -> bool:
        """Whether it is decided, or nobody waits for it any more."""
        return self.decided.done()

    def succeed(self) -> None:
        if not self.decided.done():
            self.decided.set_result(self.revision)

    def fail(self, error: SwarmwireError) -> None:
        if not self.decided.done():
            self.decided.set_exception(error)


class Wishes:
    """What waits to go into a group, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Wish] = deque()
        self.some = asyncio.Event()
        """Set while something waits."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, wish: Wish) -> None:
        self._waiting.append(wish)
        self.some.set()

    def give_back(self, wishes: Iterable[Wish]) -> None:
        """These wait again, before all others, except where nobody waits for them any more."""
        for wish in reversed(list(wishes)):
            wish.sent = False
            if not wish.is_decided:
                self._waiting.appendleft(wish)
        if self._waiting:
            self.some.set()

    def first(self) -> Wish | None:
        """The next that somebody waits for."""
        while self._waiting and self._waiting[0].is_decided:
            self._waiting.popleft()
        if not self._waiting:
            self.some.clear()
            return None
        return self._waiting[0]

    def take(self) -> Wish:
        """Take the first one out."""
        return self._waiting.popleft()

    def fail_all(self, error: SwarmwireError) -> None:
        """None of them will be done."""
        while self._waiting:
            self._waiting.popleft().fail(error)
        self.some.clear()
