"""Errors as HTTP says them: a status by a table, a body by the protocol."""

from __future__ import annotations

import math
from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.responses import Response

from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Error

__all__ = ["STATUSES", "ClientGone", "Failure", "HttpError", "Problem", "answer_error", "json", "raised"]

STATUSES: Final[dict[ErrorCode, int]] = {
    ErrorCode.INVALID_MESSAGE: 400,
    ErrorCode.INVALID_TOPIC: 400,
    ErrorCode.UNSUPPORTED_VERSION: 400,
    ErrorCode.NOT_AUTHENTICATED: 401,
    ErrorCode.AUTHENTICATION_FAILED: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.RATE_LIMIT_EXCEEDED: 429,
    ErrorCode.MESSAGE_TOO_LARGE: 413,
    ErrorCode.LIMIT_EXCEEDED: 503,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_FOUND: 404,
    ErrorCode.HANDLER_FAILED: 502,
    ErrorCode.HANDLER_GONE: 502,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.CANCELLED: 409,
    ErrorCode.CONFLICT: 409,
    ErrorCode.FENCED: 409,
    ErrorCode.LOCK_LOST: 409,
    ErrorCode.LOCK_TIMEOUT: 409,
    ErrorCode.REPLAYED: 409,
    ErrorCode.SLOW_CONSUMER: 503,
    ErrorCode.HEARTBEAT_TIMEOUT: 503,
    ErrorCode.SHUTTING_DOWN: 503,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.OUTCOME_UNKNOWN: 504,
    ErrorCode.INTERNAL_ERROR: 500,
}


class HttpError(SwarmwireError):
    """An error that only HTTP knows, with a status of its own."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code, message, field=field)
        self.status = status
        self.headers = headers or {}


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Problem(Struct, omit_defaults=True, kw_only=True):
    """What is wrong."""

    code: ErrorCode
    """A name of the table of errors."""
    message: str
    """A sentence that says what was expected and what came."""
    field: str | None = None
    """What was wrong, where it is one thing."""
    retry_after_ms: int | None = None
    """After this trying again can help."""
    handler_code: str | None = None
    """The code that the handler of a call gave, with HANDLER_FAILED."""
    details: Raw | UnsetType = UNSET
    """What the handler or the method said beside that."""

    @classmethod
    def of(cls, error: SwarmwireError) -> Problem:
        return cls(
            code=error.code,
            message=error.message,
            field=error.field,
            retry_after_ms=error.retry_after_ms,
            handler_code=error.handler_code,
            details=error.details if isinstance(error.details, Raw) else UNSET,
        )

    @classmethod
    def of_message(cls, error: Error) -> Problem:
        return cls.of(raised(error))


class Failure(Struct, kw_only=True):
    """The body of every answer that is an error."""

    error: Problem


def raised(error: Error) -> SwarmwireError:
    """An error message of a session as what is raised."""
    return SwarmwireError(
        ErrorCode(error.code),
        error.message,
        field=error.field,
        retry_after_ms=error.retry_after_ms,
        details=None if error.details is UNSET else error.details,
        handler_code=error.handler_code,
    )


def json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(encode(value) + b"\n", status, headers, media_type="application/json")


def answer_error(error: SwarmwireError) -> Response:
    """An error as it is answered."""
    headers: dict[str, str] = {}
    if isinstance(error, HttpError):
        status = error.status
        headers |= error.headers
    else:
        status = STATUSES[error.code]
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_ms / 1000))
    return json(Failure(error=Problem.of(error)), status, headers)
