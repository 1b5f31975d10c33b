"""POST /v1/call/{method}: a call and its reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct
from starlette.responses import Response
from starlette.types import Message

from swarmwire_protocol.codec import check_data, encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Call, Cancel, Error, Reply

from .errors import ClientGone, Failure, HttpError, Problem, json, raised
from .exchange import Exchange
from .publishing import JSON, NDJSON
from .query import CallQuery, read_query
from .visit import Visit, cut

__all__ = ["Answer", "call"]

_ID: Final = 0
_GRACE: Final = 5.0
"""Seconds beyond its timeout in which the session itself says that a call took too long."""

_json = msgspec.json.Decoder(Raw).decode


class Answer(Struct, omit_defaults=True, kw_only=True):
    """A reply: what the handler answered; with `more` further replies follow, and `end` only ends them."""

    data: Raw
    more: bool = False
    end: bool = False


async def call(visit: Visit) -> Response | None:
    """Call the method that the path names."""
    query = read_query(visit.request.query_params, CallQuery)
    visit.content_type(JSON)
    async with visit.session() as exchange:
        body = await visit.body()
        params = _params(body) if body.strip() else UNSET
        method = visit.request.path_params["method"]
        exchange.say(Call(id=_ID, method=method, params=params, timeout_ms=query.timeout_ms))
        wait = query.timeout_ms / 1000 + _GRACE
        first = await _next(visit, exchange, wait)
        if not first.more:
            return json(Answer(data=first.data, end=first.end))
        if NDJSON not in visit.request.headers.get("accept", ""):
            exchange.say(Cancel(id=_ID))
            sentence = f"This method sends several replies: ask with Accept: {NDJSON}."
            raise HttpError(406, ErrorCode.INVALID_MESSAGE, sentence, field="Accept")
        await _stream(visit, _lines(visit, exchange, first, wait))
    return None


def _params(body: bytes) -> Raw:
    try:
        params = _json(body)
    except (msgspec.MsgspecError, RecursionError):
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected a body of JSON.") from None
    return Raw(check_data(params, "params"))


async def _next(visit: Visit, exchange: Exchange, wait: float) -> Reply:
    """The next reply. Raises what is answered instead, TIMEOUT, or ClientGone."""
    answering = asyncio.create_task(exchange.answer(_ID))
    leaving = asyncio.create_task(visit.until_gone())
    try:
        done, _ = await asyncio.wait((answering, leaving), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)
    if answering not in done:
        raise ClientGone if leaving in done else SwarmwireError(ErrorCode.TIMEOUT)
    answer = answering.result()
    if isinstance(answer, Error):
        raise raised(answer)
    assert isinstance(answer, Reply)
    return answer


async def _lines(visit: Visit, exchange: Exchange, reply: Reply, wait: float) -> AsyncIterator[bytes]:
    """The replies as lines, the last of which may be an error."""
    yield _line(reply)
    while reply.more:
        try:
            reply = await _next(visit, exchange, wait)
        except SwarmwireError as error:
            yield encode(Failure(error=Problem.of(error)))
            return
        yield _line(reply)


def _line(reply: Reply) -> bytes:
    return encode(Answer(data=reply.data, more=reply.more, end=reply.end))


async def _stream(visit: Visit, lines: AsyncIterator[bytes]) -> None:
    headers = [(b"content-type", NDJSON.encode())]
    try:
        await _send(visit, {"type": "http.response.start", "status": 200, "headers": headers})
        async for line in lines:
            await _send(visit, {"type": "http.response.body", "body": line + b"\n", "more_body": True})
        await _send(visit, {"type": "http.response.body", "body": b"", "more_body": False})
    except TimeoutError:
        await cut(visit.request)


async def _send(visit: Visit, message: Message) -> None:
    """Raises TimeoutError where the client does not take it in time."""
    async with asyncio.timeout(visit.timeout):
        await visit.send(message)
