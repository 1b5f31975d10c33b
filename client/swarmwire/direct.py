"""Events that somebody sent to this client itself, whatever it subscribes to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from swarmwire_protocol import messages as wire
from swarmwire_protocol.payload import decode_data

from .emitter import Emitter
from .errors import ErrorCode, SwarmwireError
from .records import Event
from .sealing import Opener

__all__ = ["Direct"]


class Direct:
    """Hands direct events to the listeners of `message`, one after the other; at most `limit` of them wait.

    Beyond that the newest are left out, which is reported once until all are handed over. What `taken` takes, and
    answers with True, is no message of anybody's: no listener sees it.
    """

    def __init__(self, emitter: Emitter, limit: int) -> None:
        self.opener: Opener | None = None
        self.taken: Callable[[wire.Event], bool] = lambda message: False
        self._emitter = emitter
        self._limit = limit
        self._waiting: deque[wire.Event] = deque()
        self._work: asyncio.Task[None] | None = None
        self._is_full = False

    def take(self, message: wire.Event) -> None:
        """An event has come."""
        if self.taken(message) or not self._emitter.has("message"):
            return
        if len(self._waiting) >= self._limit:
            self._overflow()
            return
        self._waiting.append(message)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._hand_over())

    def clear(self) -> None:
        """Hand over nothing more; what a listener works on it brings to its end."""
        self._waiting.clear()

    def _overflow(self) -> None:
        if not self._is_full:
            self._is_full = True
            error = SwarmwireError(ErrorCode.SLOW_CONSUMER, f"More than {self._limit} messages were waiting.")
            self._emitter.report("messages sent to this client were left out", error)

    async def _hand_over(self) -> None:
        try:
            while self._waiting:
                message = self._waiting.popleft()
                try:
                    event = self._event(message)
                except SwarmwireError as error:
                    self._emitter.report(f"a message on {message.topic} was left out", error)
                else:
                    await self._emitter.hand("message", event)
        finally:
            self._is_full = False
            self._work = None

    def _event(self, message: wire.Event) -> Event:
        data = decode_data(message.data) if self.opener is None else self.opener.open(message, "")
        return Event(message.topic, data, None, message.ts, None, message.from_, message.headers or {})
