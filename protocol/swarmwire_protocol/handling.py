"""Functions that answer calls: what they are given, and what becomes of what they return.

A handler is a function, a coroutine function or an async generator function. It takes nothing, the parameters, or the
parameters and the `Call`. What it returns is the answer; what it yields are replies as they come.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw

from .errors import ErrorCode
from .messages import Dispatch, Error, Reply
from .payload import decode_data, encode_data

__all__ = ["Call", "CallError", "Function", "Handling", "failure", "too_large"]

Function: TypeAlias = Callable[..., Any]
"""What answers calls of a method."""

_NULL: Final = Raw(b"null")
_MS: Final = 1000


class CallError(Exception):
    """Raise it in a handler to answer a call with an error of your own.

    The caller gets HANDLER_FAILED with your code as `handler_code`, the sentence and the details. UNAVAILABLE and
    METHOD_NOT_FOUND say that nothing was done, and reach the caller as they are.

    Raises:
        ValueError: an empty code.
        SwarmwireError: INVALID_MESSAGE for details that JSON cannot hold.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        details: Any = None,
        field: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        if not code:
            raise ValueError("expected a code such as 'OUT_OF_STOCK'")
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = UNSET if details is None else encode_data(details, "details")
        self.field = field
        self.retry_after_ms = retry_after_ms


class Call(msgspec.Struct, frozen=True):
    """A call, as its handler sees it.

    Attributes:
        method: what was called.
        caller: the identity of who calls, stated by the broker; None for the broker's own process.
        deadline: when the answer comes too late, in seconds since 1970, as `time.time()` counts.
    """

    method: str
    caller: str | None
    deadline: float

    @property
    def seconds_left(self) -> float:
        """Until the deadline, by this machine's clock; never less than 0."""
        return max(0.0, self.deadline - time.time())


class Handling:
    """A function, made ready to answer calls of a method.

    Arguments:
        failed: hears of every exception that is no `CallError`; the caller hears a neutral sentence only.

    Raises:
        TypeError: it takes more than the parameters and the call.
    """

    def __init__(self, method: str, function: Function, failed: Callable[[str, Exception], None]) -> None:
        self.method = method
        self.function = function
        self._failed = failed
        self._takes = _count(function)

    async def answers(self, call: Dispatch) -> AsyncGenerator[Reply | Error, None]:
        """Call the function; every message to answer with, the last of which ends the call. Close it to cancel."""
        try:
            result = self.function(*self._arguments(call))
            if inspect.isasyncgen(result):
                async with aclosing(result):
                    async for data in result:
                        yield Reply(id=call.id, data=encode_data(data), more=True)
                yield Reply(id=call.id, data=_NULL, end=True)
                return
            answer = await result if inspect.isawaitable(result) else result
            yield Reply(id=call.id, data=encode_data(answer))
        except CallError as error:
            yield Error(
                id=call.id,
                code=error.code,
                message=error.message or f"The handler answered {error.code}.",
                field=error.field,
                retry_after_ms=error.retry_after_ms,
                details=error.details,
            )
        except Exception as error:
            self._failed(self.method, error)
            yield failure(call)

    def _arguments(self, call: Dispatch) -> list[Any]:
        if self._takes == 0:
            return []
        params = None if call.params is UNSET else decode_data(call.params)
        return [params, Call(call.method, call.from_, call.deadline / _MS)][: self._takes]


def failure(call: Dispatch) -> Error:
    """What a caller is told of a handler that failed: nothing of why."""
    return Error(id=call.id, code=ErrorCode.HANDLER_FAILED, message="The handler failed.")


def too_large(call: Dispatch, most: int) -> Error:
    """Instead of an answer that is over the broker's limit."""
    message = f"The answer is larger than {most} bytes."
    return Error(id=call.id, code=ErrorCode.MESSAGE_TOO_LARGE, message=message)


_PLACES: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_MOST: Final = 2


def _count(function: Function) -> int:
    """How many of params and call a function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return _MOST
    places = [each for each in parameters if each.kind in _PLACES]
    required = [each for each in places if each.default is inspect.Parameter.empty]
    keywords = [each for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    if len(required) > _MOST or any(each.default is inspect.Parameter.empty for each in keywords):
        raise TypeError(f"expected a function of (params) or (params, call), got {function!r}")
    return min(len(places), _MOST)
