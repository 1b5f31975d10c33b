"""A call over HTTP: its replies come as lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import encode

from .carrier import MAX_RECEIVED_BYTES
from .httprequests import NDJSON, Answer, HttpRequests, Lost, Problem, problem_of

__all__ = ["call_over_http"]

_OK: Final = 200
_NULL: Final = Raw(b"null")


class _Line(msgspec.Struct):
    data: Raw = _NULL
    more: bool = False
    end: bool = False
    error: Problem | None = None


_line = msgspec.json.Decoder(_Line).decode


async def call_over_http(requests: HttpRequests, call: wire.Call, deliver: Callable[[list[bytes]], None]) -> None:
    """Ask, and deliver each reply as it comes.

    Raises:
        Lost: when the last one does not come.
    """
    path = f"/v1/call/{quote(call.method, safe='')}"
    params = {} if call.timeout_ms is None else {"timeout_ms": call.timeout_ms}
    body = b"" if call.params is msgspec.UNSET else bytes(call.params)
    headers = {"Content-Type": "application/json", "Accept": NDJSON}
    async with requests.answering("POST", path, body=body, params=params, headers=headers) as (status, pieces):
        if status != _OK:
            problem = problem_of(Answer(status, b"".join([piece async for piece in pieces])))
            deliver([encode(problem.to(call.id))])
            return
        rest = b""
        async for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            deliver([_message(call, line) for line in lines if line])
            if len(rest) > MAX_RECEIVED_BYTES:
                raise Lost(f"A reply has at most {MAX_RECEIVED_BYTES} bytes.")
        if rest:
            deliver([_message(call, rest)])


def _message(call: wire.Call, line: bytes) -> bytes:
    try:
        reply = _line(line)
    except msgspec.MsgspecError as error:
        raise Lost(f"The reply cannot be understood: {error}.") from error
    if reply.error is not None:
        return encode(reply.error.to(call.id))
    return encode(wire.Reply(id=call.id, data=reply.data, more=reply.more, end=reply.end))
