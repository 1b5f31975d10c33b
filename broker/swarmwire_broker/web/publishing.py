"""POST /v1/publish: one event, or a batch of them."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from msgspec import Raw, Struct
from starlette.responses import Response

from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Ack, Error, RequestId

from .errors import Problem, json, raised
from .exchange import Exchange
from .visit import INSTANCE, Visit

__all__ = ["JSON", "KEY", "MAX_ARRAY", "NDJSON", "Batch", "Published", "Result", "publish"]

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
KEY: Final = "Idempotency-Key"

MAX_ARRAY: Final = 1024 * 1024
"""Bytes of a batch in one array: all of it is taken apart at once. NDJSON is taken line by line."""

_ID: Final = 0
_TYPE: Final = Raw(b'"publish"')

_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode


class Published(Struct, omit_defaults=True, kw_only=True):
    """What became of an event: its place in the log (none of an ephemeral one), and whether it was there before."""

    seq: int | None = None
    duplicate: bool = False


class Result(Struct, omit_defaults=True, kw_only=True):
    """What became of an item of a batch: the same, or an error."""

    seq: int | None = None
    duplicate: bool = False
    error: Problem | None = None


class Batch(Struct, kw_only=True):
    """The answer to a batch: one result for each item, in order."""

    results: list[Result]


async def publish(visit: Visit) -> Response:
    """Publish what the body says."""
    kind = visit.content_type(JSON, NDJSON)
    async with visit.session() as exchange:
        body = await visit.body()
        is_array = kind == JSON and body.lstrip(b" \t\r\n").startswith(b"[")
        if kind == JSON and not is_array:
            return json(await _publish_one(visit, exchange, body))
        if visit.header(KEY) is not None:
            raise _invalid("A batch has a key for each item.", KEY)
        items = _array(body, visit.hub.limits.max_batch) if is_array else _lines(body, visit.hub.limits.max_batch)
        return json(Batch(results=await _Feed(visit, exchange, items).run()))


# ---- one


async def _publish_one(visit: Visit, exchange: Exchange, body: bytes) -> Published:
    message = _message(visit, exchange, body, _ID, visit.header(KEY))
    await exchange.check()
    exchange.send(message)
    try:
        async with asyncio.timeout(visit.timeout):
            answer = await exchange.answer(_ID)
    except (TimeoutError, SwarmwireError):
        raise _unknown() from None  # it was handed on, and nobody heard what became of it
    if isinstance(answer, Error):
        raise raised(answer)
    assert isinstance(answer, Ack)
    return Published(seq=answer.seq, duplicate=answer.duplicate)


def _message(visit: Visit, exchange: Exchange, item: bytes, request_id: RequestId, key: str | None = None) -> bytes:
    """An item as the message of a client.

    Raises:
        SwarmwireError: it cannot be one.
    """
    try:
        fields = _fields(item)
    except (msgspec.MsgspecError, RecursionError):
        raise _invalid("Expected one JSON object with topic and data.") from None
    if key is not None:
        given = fields.setdefault("key", Raw(encode(key)))
        if bytes(given) not in (encode(key), b"null"):
            raise _invalid("Expected the same key in the header and in the body.", KEY)
        fields["key"] = Raw(encode(key))
    author = exchange.session.author
    is_nobody = author.scope != author.sender
    if is_nobody and visit.header(INSTANCE) is None and bytes(fields.get("key", b"null")) != b"null":
        raise _invalid(f"Without a login a key needs the header {INSTANCE}, which says whose it is.", INSTANCE)
    fields["type"] = _TYPE
    fields["id"] = Raw(encode(request_id))
    return encode(fields)


# ---- many


def _array(body: bytes, most: int) -> list[Raw]:
    if len(body) > MAX_ARRAY:
        raise SwarmwireError(
            ErrorCode.MESSAGE_TOO_LARGE, f"A batch in an array has at most {MAX_ARRAY} bytes; larger ones are NDJSON."
        )
    try:
        items = _items(body)
    except (msgspec.MsgspecError, RecursionError):
        raise _invalid("Expected a JSON object or an array of them; this is not valid JSON.") from None
    if len(items) > most:
        raise _too_many(most)
    return items


def _lines(body: bytes, most: int) -> list[bytes]:
    if body.count(b"\n") > most:  # before it is taken apart
        raise _too_many(most)
    lines = [line for line in body.split(b"\n") if not line.isspace() and line]
    if len(lines) > most:
        raise _too_many(most)
    return lines


class _Feed:
    """The items of a batch on their way, as fast as the session takes them; an item's place is its request's id."""

    def __init__(self, visit: Visit, exchange: Exchange, items: list[Raw] | list[bytes]) -> None:
        self._visit = visit
        self._exchange = exchange
        self._items = items
        self._results: list[Result | None] = [None] * len(items)
        self._left = len(items)
        self._sent = 0
        self._ended: SwarmwireError | None = None
        self._settled = asyncio.Event()

    async def run(self) -> list[Result]:
        """The results, one for each item."""
        if not self._items:
            return []
        try:
            async with asyncio.timeout(self._visit.timeout), asyncio.TaskGroup() as group:
                answers = group.create_task(self._receive())
                group.create_task(self._send())
                await self._settled.wait()
                answers.cancel()
        except TimeoutError:
            self._ended = SwarmwireError(ErrorCode.UNAVAILABLE, "It was not come to in time.")
        return self._rest(self._ended or _unknown())

    async def _receive(self) -> None:
        try:
            while True:
                message = await self._exchange.receive()
                if isinstance(message, Ack | Error) and isinstance(message.id, int):
                    self._settle(message.id, _result(message))
        except SwarmwireError as error:
            self._ended = error
            self._settled.set()

    async def _send(self) -> None:
        for place, item in enumerate(self._items):
            await self._exchange.may_send.wait()
            if self._exchange.is_closed:
                return
            self._sent = place + 1
            self._exchange.session.forgive()  # a bad item is no harm to the others
            try:
                self._exchange.send(_message(self._visit, self._exchange, bytes(item), place))
            except SwarmwireError as error:
                self._settle(place, Result(error=Problem.of(error)))
            if place % _YIELD == 0:
                await asyncio.sleep(0)

    def _settle(self, place: int, result: Result) -> None:
        if self._results[place] is None:
            self._results[place] = result
            self._left -= 1
            if not self._left:
                self._settled.set()

    def _rest(self, error: SwarmwireError) -> list[Result]:
        """The results: what was handed on without a decision is unknown, what is behind it was not done."""
        unknown, rest = Result(error=Problem.of(_unknown())), Result(error=Problem.of(error))
        return [result or (unknown if place < self._sent else rest) for place, result in enumerate(self._results)]


_YIELD: Final = 100
"""Items after which others have a turn."""


def _result(answer: Ack | Error) -> Result:
    if isinstance(answer, Error):
        return Result(error=Problem.of(raised(answer)))
    return Result(seq=answer.seq, duplicate=answer.duplicate)


def _invalid(sentence: str, field: str | None = None) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=field)


def _too_many(most: int) -> SwarmwireError:
    return SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, f"A batch has at most {most} items here.")


def _unknown() -> SwarmwireError:
    return SwarmwireError(ErrorCode.OUTCOME_UNKNOWN)
