"""Answering a call by a method of the broker itself."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from swarmwire_protocol.codec import check_data, encode, explain
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .methods import Asked, Method, Params
from .pendingcall import PendingCall
from .ports import Clock

if TYPE_CHECKING:
    from .caller import Caller

__all__ = ["Builtin", "Work"]

log = logging.getLogger("swarmwire.broker.calls")

_NOTHING: Final = b"{}"
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw]).decode


class Builtin:
    """A method of the broker, ready to be called."""

    __slots__ = ("_decode", "method")

    def __init__(self, method: Method) -> None:
        self.method = method
        self._decode = msgspec.json.Decoder(method.params).decode

    def params(self, raw: Raw | UnsetType) -> Params:
        """What a caller passed, checked; nothing and null are no parameters, a parameter that is null is absent.

        Raises:
            SwarmwireError: INVALID_MESSAGE, with the path of the parameter at fault.
        """
        data = _NOTHING if raw is UNSET else check_data(raw, "params")
        if data == b"null":
            data = _NOTHING
        try:
            return self._read(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            sentence, path = explain(error)
            field = f"params.{path}" if path else "params"
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=field) from None

    def _read(self, data: bytes) -> Params:
        try:
            return self._decode(data)
        except msgspec.ValidationError as error:
            if "got `null`" not in str(error):
                raise
            fields = _FIELDS(data)
            return self._decode(encode({name: value for name, value in fields.items() if bytes(value) != b"null"}))

    def run(self, session: Caller, call: PendingCall, params: Params) -> Coroutine[Any, Any, Any] | None:
        """Answer at once; or the coroutine that will, which `Work` runs."""
        asked = Asked(session, call.method, call.deadline, call.more_of)
        try:
            answer = self.method.run(asked, params)
            if isinstance(answer, Coroutine):
                return answer
            call.done_by(answer)
        except Exception as error:
            call.fail(_as_told(call, error))
        return None


class Work:
    """The coroutine of a method, supervised."""

    __slots__ = ("_answer", "_call", "_is_begun", "_timer")

    def __init__(self, clock: Clock, call: PendingCall, answer: Coroutine[Any, Any, Any]) -> None:
        self._call = call
        self._answer = answer
        self._is_begun = False
        self._timer = clock.spawn(self._run())

    async def _run(self) -> None:
        self._is_begun = True
        try:
            self._call.done_by(await self._answer)
        except Exception as error:
            self._call.fail(_as_told(self._call, error))
        except BaseException:  # where somebody else has cancelled it, the call is not over yet
            self._call.fail(SwarmwireError(ErrorCode.INTERNAL_ERROR))
            raise

    def cancel(self) -> None:
        """Cancel it, wherever it stands. Harmless twice."""
        self._timer.cancel()
        if not self._is_begun:
            self._answer.close()


def _as_told(call: PendingCall, error: Exception) -> SwarmwireError:
    """What the caller hears of a failure: never the text of an exception."""
    if isinstance(error, SwarmwireError):
        return error
    log.error("the method %s failed", call.method, exc_info=error)
    return SwarmwireError(ErrorCode.INTERNAL_ERROR)
