"""What the SDK raises: the protocol's named errors, and those that only a client knows."""

from __future__ import annotations

import copy
from typing import Any

from msgspec import UnsetType

from swarmwire_protocol.errors import ErrorCode, Outcome, SwarmwireError
from swarmwire_protocol.messages import Error
from swarmwire_protocol.payload import decode_data

__all__ = [
    "Disconnected",
    "ErrorCode",
    "Outcome",
    "QueueFull",
    "PlainPayload",
    "ReplayedPayload",
    "ResumeFileError",
    "SealedPayloadError",
    "SwarmwireError",
    "TamperedPayload",
    "UnknownKey",
    "afresh",
    "error_from",
]


class QueueFull(SwarmwireError):
    """The offline queue holds as many publishes as it may (`offline_queue`); this one was not taken."""


class Disconnected(SwarmwireError):
    """There is no connection, and for this request there will be none; it was not done unless `outcome` says so."""


class ResumeFileError(SwarmwireError):
    """A resume file cannot be used: it is in use, of another subscription, damaged, or out of reach."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(code, message, field="resume_file")


class SealedPayloadError(SwarmwireError):
    """An event whose data cannot be trusted; it was not handed out. `docs/encryption.md` says what becomes of it.

    Attributes:
        topic: the topic it came on.
        cursor: its place in the log; None for an ephemeral event, and where the SDK was not told.
    """

    def __init__(self, code: ErrorCode, message: str, *, topic: str) -> None:
        super().__init__(code, message, field="data")
        self.topic = topic
        self.cursor: str | None = None


class TamperedPayload(SealedPayloadError):
    """The sealed data, its topic, its message key or its time is not what was sealed."""

    def __init__(self, message: str, *, topic: str) -> None:
        super().__init__(ErrorCode.INVALID_MESSAGE, message, topic=topic)


class UnknownKey(SealedPayloadError):
    """The data was sealed with a key that is none of this topic's."""

    def __init__(self, message: str, *, topic: str) -> None:
        super().__init__(ErrorCode.NOT_FOUND, message, topic=topic)


class ReplayedPayload(SealedPayloadError):
    """The sealed data was published before, or at another time than it says."""

    def __init__(self, message: str, *, topic: str) -> None:
        super().__init__(ErrorCode.REPLAYED, message, topic=topic)


class PlainPayload(SealedPayloadError):
    """The data is not sealed, though the topic has a key."""

    def __init__(self, message: str, *, topic: str) -> None:
        super().__init__(ErrorCode.INVALID_MESSAGE, message, topic=topic)


def error_from(message: Error) -> SwarmwireError:
    """The error that an `error` message carries. A code this version does not know becomes INTERNAL_ERROR."""
    try:
        code, text = ErrorCode(message.code), message.message
    except ValueError:
        code, text = ErrorCode.INTERNAL_ERROR, f"{message.code}: {message.message}"
    return SwarmwireError(
        code,
        text,
        field=message.field,
        retry_after_ms=message.retry_after_ms,
        details=message.results or message.versions or _details(message),
        handler_code=message.handler_code,
    )


def _details(message: Error) -> Any:
    if isinstance(message.details, UnsetType):
        return None
    try:
        return decode_data(message.details)
    except SwarmwireError:  # numbers that Python has no room for; the error itself says enough
        return None


def afresh(error: SwarmwireError) -> SwarmwireError:
    """The same error as another object, for one more waiter: a traceback belongs to one raise."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin
