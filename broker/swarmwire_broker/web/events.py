"""GET /v1/events: events as they come, as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import StartAt, Subscribe

from ..core.following import follow
from .exchange import Exchange
from .query import LAST_EVENT_ID, EventsQuery, read_query
from .sse import Frames
from .visit import Visit, cut

__all__ = ["events"]

log = logging.getLogger("swarmwire.broker.web")

_ID: Final = 0
_CHUNK: Final = 64 * 1024
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers what it passes on would hold events back
]


async def events(visit: Visit) -> None:
    """Stream what the query asks for until one side ends it."""
    query = read_query(visit.request.query_params, EventsQuery)
    last_event_id = visit.header(LAST_EVENT_ID)
    begin = query.begin(last_event_id)
    message = Subscribe(id=_ID, subscriptions=query.subscriptions(begin))
    async with visit.session(brief=False) as exchange:
        frames = await _subscribed(exchange, query, message, begin)
        await _Stream(visit, exchange, frames).run()


async def _subscribed(exchange: Exchange, query: EventsQuery, message: Subscribe, begin: str | StartAt) -> Frames:
    exchange.say(message)
    cursor = None
    # It is subscribed in this moment, and nothing has been published since: from here on nothing is missed.
    if query.is_shared and len(exchange.session.subscriptions) == len(message.subscriptions):
        any(exchange.hub.start_news.recall(exchange.session, pattern, None, begin) for pattern in query.patterns)
        cursor = await follow(exchange.session.outbox, begin)
    told = await exchange.subscribed(_ID)
    if not query.is_shared:
        # A place in another log is told by the gap that comes first, as it is where all is shared.
        is_moved = isinstance(begin, StartAt) and begin.cursor not in (None, told)
        cursor = None if is_moved else told
    return Frames(cursor, is_placed=begin != "latest")


class _Stream:
    """A session on its way to a client, until the client is gone or the session has ended and said so."""

    def __init__(self, visit: Visit, exchange: Exchange, frames: Frames) -> None:
        self._visit = visit
        self._exchange = exchange
        self._frames = frames
        self._over = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Stream."""
        self._exchange.on_close = self._end_in
        if self._exchange.is_closed:
            self._end_in(self._visit.hub.limits.close_timeout_ms / 1000)
        writing = asyncio.create_task(self._write())
        leaving = asyncio.create_task(self._visit.until_gone())
        timing = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait((writing, leaving, timing), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done() or writing.exception() is not None:
                if writing.done():
                    log.error("a stream failed", exc_info=writing.exception())
                is_there = not leaving.done()
                leaving.cancel()
                if is_there:
                    await cut(self._visit.request)
        finally:
            self._exchange.end()
            if self._timer is not None:
                self._timer.cancel()
            for task in (writing, leaving, timing):
                task.cancel()
            await asyncio.gather(writing, leaving, timing, return_exceptions=True)

    def _end_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._over.set)

    async def _write(self) -> None:
        send, exchange = self._visit.send, self._exchange
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._pass_on(self._frames.first)
        while (payload := await exchange.take()) is not None:
            await self._pass_on(await self._chunk(payload))
            self._end_if_denied()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _chunk(self, payload: bytes) -> bytes:
        """This message and those behind it that are there already, up to a size."""
        parts = [self._frames.of(payload)]
        size = len(parts[0])
        while size < _CHUNK and not self._exchange.is_empty and (more := await self._exchange.take()) is not None:
            parts.append(self._frames.of(more))
            size += len(parts[-1])
        return b"".join(parts)

    async def _pass_on(self, chunk: bytes) -> None:
        if chunk:
            self._exchange.is_stuck = True
            await self._visit.send({"type": "http.response.body", "body": chunk, "more_body": True})
            self._exchange.is_stuck = False
            self._exchange.session.heard = True

    def _end_if_denied(self) -> None:
        if not len(self._exchange.session.subscriptions) and not self._exchange.is_closed:
            error = SwarmwireError(ErrorCode.PERMISSION_DENIED, "No pattern of this stream is allowed any more.")
            self._exchange.session.close(CloseCode.REMOVED, error.message, error)
