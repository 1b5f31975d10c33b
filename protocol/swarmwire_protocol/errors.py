"""The one table of errors and the one table of close codes.

Everything that can go wrong on the wire has a name here, with the sentence people read, whether trying again
can help, what is known about the outcome, and the close code if the connection ends with it.

Close codes below 4000 are those of RFC 6455; 4400-4499 are Swarmwire's own.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

__all__ = [
    "CLOSES",
    "ERRORS",
    "CloseCode",
    "CloseInfo",
    "ErrorCode",
    "ErrorInfo",
    "Outcome",
    "SwarmwireError",
]


class ErrorCode(StrEnum):
    """The names that an `error` message carries in `code`."""

    INVALID_MESSAGE = "INVALID_MESSAGE"
    INVALID_TOPIC = "INVALID_TOPIC"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_FOUND = "METHOD_NOT_FOUND"
    HANDLER_FAILED = "HANDLER_FAILED"
    HANDLER_GONE = "HANDLER_GONE"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    CONFLICT = "CONFLICT"
    FENCED = "FENCED"
    LOCK_LOST = "LOCK_LOST"
    LOCK_TIMEOUT = "LOCK_TIMEOUT"
    REPLAYED = "REPLAYED"
    SLOW_CONSUMER = "SLOW_CONSUMER"
    HEARTBEAT_TIMEOUT = "HEARTBEAT_TIMEOUT"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    UNAVAILABLE = "UNAVAILABLE"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class Outcome(StrEnum):
    """What an error says of the request it answers."""

    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


class CloseCode(IntEnum):
    """The codes a connection is closed with, always after a `bye` that names the same code."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_DATA = 1007
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    TRY_LATER = 1013
    UNAUTHORIZED = 4401
    HELLO_TIMEOUT = 4402
    REMOVED = 4403
    UNSUPPORTED_VERSION = 4406
    SLOW_CONSUMER = 4408
    HEARTBEAT_TIMEOUT = 4409


class ErrorInfo(NamedTuple):
    """A row of the table: the sentence, whether the same request may be tried again, the outcome, the close code."""

    sentence: str
    retry: bool
    outcome: Outcome = Outcome.NOT_DONE
    close: CloseCode | None = None


class CloseInfo(NamedTuple):
    """A row of the table of close codes: the sentence, and whether an SDK reconnects by itself after it."""

    sentence: str
    reconnect: bool


_UNKNOWN = Outcome.UNKNOWN

ERRORS: dict[ErrorCode, ErrorInfo] = {
    ErrorCode.INVALID_MESSAGE: ErrorInfo("The message is not one the protocol knows.", False),
    ErrorCode.INVALID_TOPIC: ErrorInfo("The topic or pattern breaks the grammar.", False),
    ErrorCode.UNSUPPORTED_VERSION: ErrorInfo(
        "No version of the protocol is known to both sides.", False, close=CloseCode.UNSUPPORTED_VERSION
    ),
    ErrorCode.NOT_AUTHENTICATED: ErrorInfo("The first message must be a hello.", False),
    ErrorCode.AUTHENTICATION_FAILED: ErrorInfo("The login was refused.", False, close=CloseCode.UNAUTHORIZED),
    ErrorCode.TOKEN_EXPIRED: ErrorInfo("The token has expired.", False, close=CloseCode.UNAUTHORIZED),
    ErrorCode.PERMISSION_DENIED: ErrorInfo("The identity may not do this.", False),
    ErrorCode.RATE_LIMIT_EXCEEDED: ErrorInfo("Too much, too fast.", True),
    ErrorCode.MESSAGE_TOO_LARGE: ErrorInfo("The message is larger than the limit.", False, close=CloseCode.TOO_BIG),
    ErrorCode.LIMIT_EXCEEDED: ErrorInfo("A limit of the broker is reached.", True),
    ErrorCode.NOT_FOUND: ErrorInfo("There is no such thing.", False),
    ErrorCode.METHOD_NOT_FOUND: ErrorInfo("Nobody handles this method.", False),
    ErrorCode.HANDLER_FAILED: ErrorInfo("The handler reported a failure.", False),
    ErrorCode.HANDLER_GONE: ErrorInfo("The handler vanished before it answered.", False, _UNKNOWN),
    ErrorCode.TIMEOUT: ErrorInfo("No answer came in time.", False, _UNKNOWN),
    ErrorCode.CANCELLED: ErrorInfo("The request was given up.", False, _UNKNOWN),
    ErrorCode.CONFLICT: ErrorInfo("Something with this name is already there.", False),
    ErrorCode.FENCED: ErrorInfo("A newer holder has taken over.", False),
    ErrorCode.LOCK_LOST: ErrorInfo("The lock's lease has lapsed.", False, _UNKNOWN),
    ErrorCode.LOCK_TIMEOUT: ErrorInfo("The lock did not become free in time.", True),
    ErrorCode.REPLAYED: ErrorInfo("The sealed payload was seen before.", False),
    ErrorCode.SLOW_CONSUMER: ErrorInfo(
        "The client reads more slowly than its subscription allows.", True, close=CloseCode.SLOW_CONSUMER
    ),
    ErrorCode.HEARTBEAT_TIMEOUT: ErrorInfo(
        "Nothing was heard of the client for two heartbeats.", True, _UNKNOWN, CloseCode.HEARTBEAT_TIMEOUT
    ),
    ErrorCode.SHUTTING_DOWN: ErrorInfo("The broker is shutting down.", True, close=CloseCode.RESTART),
    ErrorCode.UNAVAILABLE: ErrorInfo("The broker cannot do this just now.", True),
    ErrorCode.OUTCOME_UNKNOWN: ErrorInfo("It cannot be known whether the request was done.", False, _UNKNOWN),
    ErrorCode.INTERNAL_ERROR: ErrorInfo("Something failed inside the broker.", True, _UNKNOWN),
}

CLOSES: dict[CloseCode, CloseInfo] = {
    CloseCode.NORMAL: CloseInfo("The peer is done.", False),
    CloseCode.GOING_AWAY: CloseInfo("The peer goes away.", True),
    CloseCode.PROTOCOL_ERROR: CloseInfo("The framing was broken.", True),
    CloseCode.INVALID_DATA: CloseInfo("A text was not valid UTF-8.", True),
    CloseCode.POLICY: CloseInfo("Too many malformed messages.", True),
    CloseCode.TOO_BIG: CloseInfo("A message was over the limit.", True),
    CloseCode.INTERNAL: CloseInfo("The broker failed.", True),
    CloseCode.RESTART: CloseInfo("The broker is shutting down or restarting.", True),
    CloseCode.TRY_LATER: CloseInfo("The broker is full.", True),
    CloseCode.UNAUTHORIZED: CloseInfo("The login was refused, has expired or was revoked.", False),
    CloseCode.HELLO_TIMEOUT: CloseInfo("No hello came in time.", True),
    CloseCode.REMOVED: CloseInfo("An operator closed the connection.", False),
    CloseCode.UNSUPPORTED_VERSION: CloseInfo("No common version of the protocol.", False),
    CloseCode.SLOW_CONSUMER: CloseInfo("The client read too slowly for a subscription in mode disconnect.", True),
    CloseCode.HEARTBEAT_TIMEOUT: CloseInfo("The client was silent for two heartbeats.", True),
}


class SwarmwireError(Exception):
    """A named error of the protocol, as raised by every part of Swarmwire and as sent in an `error` message.

    Attributes:
        code: the name in the table `ERRORS`.
        message: one sentence that says what was expected and what came.
        field: the path of the field at fault, or None.
        retry_after_ms: milliseconds after which trying again can succeed, or None.
        details: what belongs to the error beside that, such as `results` of a refused subscribe.
        handler_code: with HANDLER_FAILED, the code that the handler itself gave.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after_ms: int | None = None,
        details: Any = None,
        handler_code: str | None = None,
    ) -> None:
        self.code = code
        self.message = message if message is not None else ERRORS[code].sentence
        self.field = field
        self.retry_after_ms = retry_after_ms
        self.details = details
        self.handler_code = handler_code
        super().__init__(code, self.message)

    @property
    def retry(self) -> bool:
        """Whether the same request may succeed later."""
        return ERRORS[self.code].retry

    @property
    def outcome(self) -> Outcome:
        """Whether the request is known not to be done."""
        return ERRORS[self.code].outcome

    def __str__(self) -> str:
        where = f" (field {self.field})" if self.field else ""
        own = f" {self.handler_code}" if self.handler_code else ""
        return f"{self.code}{own}: {self.message}{where}"
