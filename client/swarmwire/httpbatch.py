"""Publishes over HTTP: what waits is sent as one batch, each item of which has its own result."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import CloseCode, ErrorCode
from swarmwire_protocol.messages import RequestId

from .httprequests import Lost, Problem
from .httpstream import Bye

__all__ = ["ENDS", "Sent", "bye_for", "decided", "take_batch"]

_BATCH_BYTES: Final = 1024 * 1024
_BATCH: Final = 1000

ENDS: Final[dict[str, CloseCode]] = {
    ErrorCode.AUTHENTICATION_FAILED: CloseCode.UNAUTHORIZED,
    ErrorCode.TOKEN_EXPIRED: CloseCode.UNAUTHORIZED,
    ErrorCode.SHUTTING_DOWN: CloseCode.RESTART,
    ErrorCode.LIMIT_EXCEEDED: CloseCode.TRY_LATER,
}
"""Errors of a request as a whole that would have ended a connection, with the code it would have ended with."""

_UNDECIDED: Final[tuple[str, ...]] = (
    *(ErrorCode.AUTHENTICATION_FAILED, ErrorCode.TOKEN_EXPIRED, ErrorCode.SHUTTING_DOWN),
    ErrorCode.OUTCOME_UNKNOWN,
)
"""Errors of an item that was not decided: after a reconnect it is sent again under its key."""


class Sent(NamedTuple):
    """A message on its way."""

    type: str
    id: RequestId | None
    payload: bytes


class _Result(msgspec.Struct):
    seq: int | None = None
    duplicate: bool = False
    error: Problem | None = None


class _Results(msgspec.Struct):
    results: list[_Result]


_results = msgspec.json.Decoder(_Results).decode


def take_batch(queue: deque[Sent], limits: dict[str, int | None], most: int | None) -> list[Sent]:
    """Take the publishes in front of the queue, as many as one request may hold: at least one, at most `most`."""
    most = _BATCH if most is None else most
    room = min(_BATCH_BYTES, limits.get("max_message_bytes") or _BATCH_BYTES) + 1
    batch: list[Sent] = []
    while queue and queue[0].type == "publish" and len(batch) < most:
        room -= len(queue[0].payload) + 1
        if batch and room < 0:
            break
        batch.append(queue.popleft())
    return batch


def decided(batch: list[Sent], body: bytes) -> tuple[list[bytes], Bye | Lost | None]:
    """The answers to a batch as messages; where some of it was not decided also the end of the connection.

    Raises:
        Lost: for what is no answer to it.
    """
    try:
        results = _results(body).results
    except msgspec.MsgspecError as error:
        raise Lost(f"The answer to a batch cannot be understood: {error}.") from error
    if len(results) != len(batch):
        raise Lost(f"Expected {len(batch)} results, got {len(results)}.")
    answers = [_answer(sent, result) for sent, result in zip(batch, results, strict=True)]
    undecided = [result.error for result in results if result.error is not None and result.error.code in _UNDECIDED]
    return [answer for answer in answers if answer], _end(undecided)


def bye_for(problem: Problem) -> Bye:
    """The end of a connection that an error of a whole request stands for."""
    return Bye(ENDS.get(problem.code, CloseCode.TRY_LATER), problem.message, problem.retry_after_ms, problem)


def _answer(sent: Sent, result: _Result) -> bytes:
    """What became of a publish; empty where nothing is to be said, or not yet."""
    if result.error is not None:
        return b"" if result.error.code in _UNDECIDED else encode(result.error.to(sent.id))
    return b"" if sent.id is None else encode(wire.Ack(id=sent.id, seq=result.seq, duplicate=result.duplicate))


def _end(undecided: list[Problem]) -> Bye | Lost | None:
    for problem in undecided:
        if problem.code in ENDS:
            return bye_for(problem)
    return Lost(undecided[0].message) if undecided else None
