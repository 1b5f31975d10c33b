"""GET /v1/history: one page of what the log holds."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Subscription

from ..services.operators.pages import Wanted, read_page
from .errors import json, raised
from .exchange import Exchange, by_parameter
from .query import HistoryQuery, cursor_at, read_query
from .visit import Visit

__all__ = ["history"]

_SIZE: Final = 64
"""What a page costs of the rates of bytes: a short message."""


async def history(visit: Visit) -> Response:
    """Answer one page."""
    query = read_query(visit.request.query_params, HistoryQuery)
    begin = query.begin
    if query.until is not None:
        cursor_at(query.until, "until")
    async with visit.session() as exchange:
        exchange.charge(_SIZE)
        _check(exchange, query)
        wanted = Wanted(patterns=query.patterns, begin=begin, until=query.until, limit=query.limit)
        try:
            async with asyncio.timeout(visit.timeout):
                return json(await read_page(exchange.session.outbox, exchange.receive, wanted))
        except TimeoutError:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "The log could not be read in time.") from None


def _check(exchange: Exchange, query: HistoryQuery) -> None:
    """Refuse what could not be subscribed to either."""
    session = exchange.session
    wanted = [Subscription(pattern=pattern) for pattern in query.patterns]
    for result in session.subscriptions.check(wanted, session.author.grants):
        if result.error is not None:
            raise by_parameter(raised(result.error))
