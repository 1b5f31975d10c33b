"""GET /v1/history: one page of what the log holds."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Event, Gap, Position, StartAt, Subscription

from ..core.following import PageReader, find_place
from ..engines.matcher import Matcher
from .errors import json, raised
from .exchange import Exchange, by_parameter
from .query import HistoryQuery, cursor_at, read_query
from .visit import Visit

__all__ = ["HistoryPage", "history"]

_SIZE: Final = 64
"""What a page costs of the rates of bytes: a short message."""


class HistoryPage(Struct, omit_defaults=True, kw_only=True):
    """One page: events in the order of the log, where the next page goes on, and whether there may be one."""

    events: list[Event]
    cursor: str
    more: bool
    gaps: list[Gap] | None = None


async def history(visit: Visit) -> Response:
    """Answer one page."""
    query = read_query(visit.request.query_params, HistoryQuery)
    begin = query.begin
    if query.until is not None:
        cursor_at(query.until, "until")
    async with visit.session() as exchange:
        exchange.charge(_SIZE)
        _check(exchange, query)
        try:
            async with asyncio.timeout(visit.timeout):
                return json(await _page(exchange, query, begin))
        except TimeoutError:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "The log could not be read in time.") from None


def _check(exchange: Exchange, query: HistoryQuery) -> None:
    """Refuse what could not be subscribed to either."""
    session = exchange.session
    wanted = [Subscription(pattern=pattern) for pattern in query.patterns]
    for result in session.subscriptions.check(wanted, session.author.grants):
        if result.error is not None:
            raise by_parameter(raised(result.error))


async def _page(exchange: Exchange, query: HistoryQuery, begin: str | StartAt) -> HistoryPage:
    outbox = exchange.session.outbox
    matcher = Matcher(query.patterns)
    start = await find_place(outbox, begin, matcher)
    reader = PageReader(outbox, matcher, start, until=_end(exchange, query.until), limit=query.limit)
    outbox.begin(reader)
    events: list[Event] = []
    gaps: list[Gap] = []
    while True:
        match await exchange.receive():
            case Event(seq=int()) as event:
                events.append(event)
            case Gap() as gap:
                gaps.append(gap)
            case Position(cursor=cursor) if reader.stopped:
                return HistoryPage(events=events, cursor=cursor, more=reader.more, gaps=gaps or None)


def _end(exchange: Exchange, until: str | None) -> int | None:
    if until is None:
        return None
    cursor = Cursor.parse(until)
    if cursor.epoch != exchange.hub.engine.epoch:
        raise SwarmwireError(ErrorCode.CONFLICT, "This cursor is of another log.", field="until")
    return cursor.seq
