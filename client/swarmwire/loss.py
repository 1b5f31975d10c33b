"""Why a connection, or an attempt to have one, came to its end, and whether another may follow."""

from __future__ import annotations

from swarmwire_protocol.errors import CLOSES, CloseCode

from .errors import Disconnected, ErrorCode, SwarmwireError

__all__ = ["ABNORMAL", "Loss", "Nobody", "loss_of"]

ABNORMAL = 1006
"""The close code of a connection that ended without one."""

_FINAL = (ErrorCode.AUTHENTICATION_FAILED, ErrorCode.TOKEN_EXPIRED, ErrorCode.UNSUPPORTED_VERSION)

_NAMES: dict[int, ErrorCode] = {
    CloseCode.GOING_AWAY: ErrorCode.SHUTTING_DOWN,
    CloseCode.TOO_BIG: ErrorCode.MESSAGE_TOO_LARGE,
    CloseCode.RESTART: ErrorCode.SHUTTING_DOWN,
    CloseCode.UNAUTHORIZED: ErrorCode.AUTHENTICATION_FAILED,
    CloseCode.REMOVED: ErrorCode.PERMISSION_DENIED,
    CloseCode.UNSUPPORTED_VERSION: ErrorCode.UNSUPPORTED_VERSION,
    CloseCode.SLOW_CONSUMER: ErrorCode.SLOW_CONSUMER,
    CloseCode.HEARTBEAT_TIMEOUT: ErrorCode.HEARTBEAT_TIMEOUT,
}


class Loss(Exception):
    """The end of a connection or of an attempt.

    Attributes:
        error: what whoever waits is told, if no other connection follows.
        code: the close code; `ABNORMAL` without one.
        reason: the words that came with it.
        final: whether trying again is useless.
        after: seconds to wait before the next attempt, where the broker said so.
        stopped: whether the broker was stopped on purpose.
    """

    def __init__(
        self,
        error: SwarmwireError,
        *,
        code: int = ABNORMAL,
        reason: str = "",
        final: bool | None = None,
        after_ms: int | None = None,
        stopped: bool = False,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.code = code
        self.reason = reason
        self.final = error.code in _FINAL if final is None else final
        self.after = None if after_ms is None else after_ms / 1000
        self.stopped = stopped


class Nobody(Loss):
    """No broker answers there, or none of the name that was asked for."""


def loss_of(
    code: int,
    reason: str,
    *,
    meant: bool,
    error: SwarmwireError | None = None,
    after_ms: int | None = None,
) -> Loss:
    """The loss that a close code stands for. `meant`: a `bye` named it. `error` is what the broker gave before."""
    info = CLOSES.get(CloseCode(code)) if code in CloseCode.__members__.values() else None
    if error is None:
        sentence = reason or (info.sentence if info else "The connection was cut.")
        error = Disconnected(_NAMES.get(code, ErrorCode.UNAVAILABLE), f"Closed with {code}: {sentence}")
    # Without a bye an ordinary code may be a proxy's; the protocol's own codes are only ever the broker's.
    final = info is not None and not info.reconnect and (meant or code >= 4000)
    after_ms = error.retry_after_ms if after_ms is None else after_ms
    return Loss(
        error,
        code=code,
        reason=reason,
        final=final or error.code in _FINAL,
        after_ms=after_ms,
        stopped=meant and _NAMES.get(code) is ErrorCode.SHUTTING_DOWN,
    )
