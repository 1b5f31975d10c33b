"""`history.read`: a page of what the log holds, for whoever may subscribe to it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Annotated

from msgspec import Meta

from swarmwire_protocol.codec import decode_from_broker
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import BrokerMessage, StartAt, Subscription

from ...core.hub import Hub
from ...core.listframer import LIST_FRAMER
from ...core.methods import Asked, Method, Params
from ...core.ports import Peer
from ...core.session import SessionState
from .pages import HistoryPage, Wanted, read_page

__all__ = ["History"]


class _Read(Params, kw_only=True):
    pattern: str
    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class History:
    """Reads the log for callers."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def methods(self) -> list[Method]:
        return [Method("history.read", _Read, self._read, looks=True)]

    async def start(self) -> None:
        """There is nothing to read yet."""

    def close(self) -> None:
        """A page that is being read ends with its caller's session."""

    async def _read(self, asked: Asked, params: _Read) -> HistoryPage:
        begin = "start" if params.after is None else _place(params.after)
        reading = _Reading(self._hub)
        try:
            reading.check(asked, params.pattern)
            wanted = Wanted(patterns=[params.pattern], begin=begin, until=None, limit=params.limit)
            return await read_page(reading.session.outbox, reading.receive, wanted)
        finally:
            reading.end()


class _Reading:
    """A session of the broker's own for one page, and its sink. `end` it."""

    framer = LIST_FRAMER

    def __init__(self, hub: Hub) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._is_closed = False
        self.session = hub.connect(self, Peer(transport="local", brief=True))
        if self.session.state is SessionState.CLOSING:
            self.session.lost()
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, "The broker holds as many connections as it may.")
        self.session.admit_local()

    def check(self, asked: Asked, pattern: str) -> None:
        """Refuse what the caller could not subscribe to either, and see the log as the caller would."""
        outbox, table = self.session.outbox, self.session.subscriptions
        outbox.instance = asked.author.instance
        result = table.check([Subscription(pattern=pattern)], asked.author.grants)[0]
        if result.error is not None:
            raise SwarmwireError(ErrorCode(result.error.code), result.error.message, field="params.pattern")

    async def receive(self) -> BrokerMessage:
        """The next message.

        Raises:
            SwarmwireError: UNAVAILABLE, the broker ended it.
        """
        while not self._waiting:
            if self._is_closed:
                raise SwarmwireError(ErrorCode.UNAVAILABLE)
            self._arrived.clear()
            await self._arrived.wait()
        payload = self._waiting.popleft()
        self._bytes -= len(payload)
        return decode_from_broker(payload)

    def end(self) -> None:
        """The page is read, or nobody wants it any more."""
        self._is_closed = True
        self.session.lost()

    # ---- the sink

    def write(self, block: list[bytes]) -> None:
        self._waiting.extend(block)  # bounded: a page has at most half of what an outbox holds
        self._bytes += sum(map(len, block))
        self._arrived.set()

    def buffered(self) -> int:
        self.session.heard = True  # whoever lives in this process is alive
        return self._bytes

    def pause_reading(self) -> None:
        """Nothing is read from here."""

    def resume_reading(self) -> None:
        """Nothing is read from here."""

    def raise_limit(self, max_message_bytes: int) -> None:
        """Nothing is read from here."""

    def close(self, code: int, reason: str, timeout: float) -> None:
        self._is_closed = True
        self._arrived.set()


def _place(cursor: str) -> StartAt:
    try:
        Cursor.parse(cursor)
    except SwarmwireError as error:
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, error.message, field="params.after") from None
    return StartAt(cursor=cursor)
