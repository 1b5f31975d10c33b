"""The last message of a subject: asked for, and followed by another where it still is the last."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final

import msgspec

from ....natslink import ApiError, JetStream, Link, LinkDown, LinkError, NoAnswer, encode_headers
from .storage import Doubtful, Message, Refused, Superseded

__all__ = ["follow", "last_of"]

_WRONG_LAST: Final = 10071
_NO_MESSAGE: Final = 10037


async def last_of(js: JetStream, stream: str, subject: str, timeout: float) -> Message | None:
    """The last message of a subject, as the leader of the stream has it.

    Raises:
        LinkError: there was no answer within so many seconds.
    """
    try:
        answer = await js.ask(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject}, timeout=timeout)
    except ApiError as problem:
        if problem.err_code == _NO_MESSAGE:
            return None
        raise
    message = answer["message"]
    return Message(message["seq"], b64decode(message.get("data", "")))


async def follow(link: Link, subject: str, payload: bytes, after: int, timeout: float) -> int:
    """Store a message if the last one of its subject stands at `after` (0: if there is none); its place.

    Raises:
        Superseded: another one is the last.
        Refused: it was certainly not stored.
        Doubtful: nobody knows. There was no answer within so many seconds.
    """
    if link.server is None:
        raise Refused("there is no connection to NATS now")
    headers = encode_headers([(b"Nats-Expected-Last-Subject-Sequence", b"%d" % after)])
    try:
        answer = await link.request(subject.encode(), payload, headers=headers, timeout=timeout)
        told = msgspec.json.decode(answer.payload, type=dict[str, Any])
    except (NoAnswer, LinkDown, msgspec.DecodeError) as problem:
        raise Doubtful(str(problem)) from None
    except LinkError as problem:
        raise Refused(str(problem)) from None
    error = told.get("error")
    if error is None:
        seq: int = told["seq"]
        return seq
    if error.get("err_code") == _WRONG_LAST:
        raise Superseded(error.get("description", ""))
    raise Refused(error.get("description", ""))
