"""Calls of the broker's own process, and functions of it that answer calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from itertools import count
from typing import Any, Final

from msgspec import UNSET

from swarmwire_protocol.codec import decode_from_broker, encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.handling import Function, Handling, failure
from swarmwire_protocol.messages import Call, Cancel, Dispatch, Error, Reply, RequestId
from swarmwire_protocol.payload import decode_data, encode_data

from .core.handlers import check_method
from .core.hub import Hub
from .core.listframer import LIST_FRAMER
from .core.ports import Peer, Timer
from .core.session import Session, SessionState
from .core.text import exact

__all__ = ["LocalCalls", "LocalHandler", "LocalHandlers", "refusal"]

log = logging.getLogger("swarmwire.broker.calls")

_MS: Final = 1000


class LocalHandler:
    """A function of this process that answers calls. Call it to take it away; calls that run go on."""

    def __init__(self, handling: Handling, remove: Callable[[LocalHandler], None]) -> None:
        self.handling = handling
        self._remove = remove

    def __repr__(self) -> str:
        return f"LocalHandler({self.handling.method!r}, {self.handling.function!r})"

    def __call__(self) -> None:
        """Answer no more calls. Harmless twice."""
        self._remove(self)


class LocalHandlers:
    """The functions that answer calls, one a method. They outlive the broker that they answer for.

    Attributes:
        changed: called when a method is there or gone, to register it; set by who is connected.
    """

    def __init__(self) -> None:
        self._by_method: dict[str, LocalHandler] = {}
        self.changed: Callable[[str, bool], None] = _nobody

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_method)

    def __len__(self) -> int:
        return len(self._by_method)

    def get(self, method: str) -> LocalHandler | None:
        return self._by_method.get(method)

    def add(self, method: str, function: Function) -> LocalHandler:
        """Let a function answer a method, from now on.

        Raises:
            SwarmwireError: CONFLICT where one does already; INVALID_TOPIC; PERMISSION_DENIED for the broker's names.
            TypeError: a function that takes more than the parameters and the call.
        """
        check_method(method, "method")
        if method in self._by_method:
            raise SwarmwireError(ErrorCode.CONFLICT, "This process handles this method already.", field="method")
        handler = LocalHandler(Handling(method, function, _failed), self._remove)
        self.changed(method, True)
        self._by_method[method] = handler
        return handler

    def _remove(self, handler: LocalHandler) -> None:
        method = handler.handling.method
        if self._by_method.get(method) is handler:
            del self._by_method[method]
            self.changed(method, False)


class _Answer:
    """The answer to one call; of a streamed one the last reply."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._last: Reply | None = None

    def take(self, message: Reply | Error) -> None:
        if isinstance(message, Error):
            self.fail(_raised(message))
        elif message.more:
            self._last = message
        elif not self.future.done():
            last = self._last if message.end and self._last is not None else message
            self.future.set_result(decode_data(last.data))

    def fail(self, error: SwarmwireError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Line:
    """The session of the broker's own process, and its sink: what it is told goes to `take` at once."""

    framer = LIST_FRAMER

    def __init__(self, hub: Hub, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._clock = hub.clock
        self._refused: list[bytes] | None = []
        self.session = hub.connect(self, Peer(transport="local"))
        if self.session.state is SessionState.CLOSING:
            self.session.lost()
            raise refusal(self._refused)
        self._refused = None
        self.session.admit_local()

    def say(self, message: Call | Cancel | Reply | Error) -> None:
        self.session.receive(encode(message))

    # ---- the session's side

    def write(self, block: list[bytes]) -> None:
        if self._refused is not None:
            self._refused += block
            return
        for payload in block:
            self._take(payload)

    def buffered(self) -> int:
        # The heartbeat asks this. Whoever lives in this process is alive.
        self.session.heard = True
        return 0

    def pause_reading(self) -> None:
        """Nothing is read ahead here."""

    def resume_reading(self) -> None:
        """Nothing is read ahead here."""

    def raise_limit(self, max_message_bytes: int) -> None:
        """There is no limit here."""

    def close(self, code: int, reason: str, timeout: float) -> None:
        self._clock.call_soon(lambda: self.session.lost())  # the session may not be known here yet


class LocalCalls:
    """The broker's own process as one that calls and is called. It connects when that is needed first."""

    def __init__(self, hub: Hub, handlers: LocalHandlers) -> None:
        self._hub = hub
        self._handlers = handlers
        self._line: _Line | None = None
        self._numbers = count(1)
        self._waiting: dict[RequestId, _Answer] = {}
        self._running: dict[RequestId, Timer] = {}
        self._is_closed = False
        handlers.changed = self._changed
        if len(handlers):
            self._connected()

    # ---- the connection

    def _connected(self) -> _Line:
        """The line, a new one where there is none.

        Raises:
            SwarmwireError: the broker is full, or stopping.
        """
        if self._line is None:
            if self._is_closed:
                raise SwarmwireError(ErrorCode.UNAVAILABLE, "The broker is stopped.")
            self._line = _Line(self._hub, self._take)
            self._line.session.on_end(self._ended)
            self._hub.calls.handlers.register(self._line.session, list(self._handlers))
        return self._line

    def _ended(self, session: Session) -> None:
        self._line = None
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.fail(SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "The connection ended first."))
        running, self._running = self._running, {}
        for task in running.values():
            task.cancel()
        if len(self._handlers):
            self._hub.clock.call_soon(self._come_back)

    def _come_back(self) -> None:
        """Somebody has closed the connection, and functions are still to be called."""
        if not self._is_closed and not self._hub.is_draining:
            self._connected()

    def close(self) -> None:
        """Calls fail, and functions are called no more. Harmless twice."""
        self._is_closed = True
        self._handlers.changed = _nobody
        if self._line is not None:
            self._line.session.lost()

    def _take(self, payload: bytes) -> None:
        match decode_from_broker(payload):
            case Reply() | Error() as answer:
                self._answered(answer)
            case Dispatch() as call:
                self._dispatched(call)
            case Cancel(id=number):
                if (task := self._running.pop(number, None)) is not None:
                    task.cancel()

    # ---- calling

    async def call(self, method: str, params: Any, timeout: float | None) -> Any:
        """One answer; see `LocalClient.call`."""
        raw = UNSET if params is None else encode_data(params, "params")
        timeout_ms = None if timeout is None else max(0, round(timeout * _MS))
        line = self._connected()
        number = next(self._numbers)
        answer = self._waiting[number] = _Answer()
        line.say(Call(id=number, method=exact(method), params=raw, timeout_ms=timeout_ms))
        try:
            return await answer.future
        finally:
            if self._waiting.pop(number, None) is not None and answer.future.cancelled():
                line.say(Cancel(id=number))

    def _answered(self, message: Reply | Error) -> None:
        answer = None if message.id is None else self._waiting.get(message.id)
        if answer is not None:
            answer.take(message)

    # ---- being called

    def _changed(self, method: str, is_there: bool) -> None:
        if is_there:
            self._hub.calls.handlers.register(self._connected().session, [method])
        elif self._line is not None:
            self._hub.calls.handlers.unregister(self._line.session, [method])

    def _dispatched(self, call: Dispatch) -> None:
        if self._line is not None:
            self._running[call.id] = self._hub.clock.spawn(self._answer(self._line, call))

    async def _answer(self, line: _Line, call: Dispatch) -> None:
        handler = self._handlers.get(call.method)
        try:
            if handler is None:
                line.say(Error(id=call.id, code=ErrorCode.METHOD_NOT_FOUND, message="Nobody handles this any more."))
                return
            async with aclosing(handler.handling.answers(call)) as answers:
                async for answer in answers:
                    line.say(answer)
                    await asyncio.sleep(0)  # a stream gives others their turn, and is cancelled between two replies
        except BaseException:
            if call.id in self._running:  # not cancelled by us: by the function itself, or it ends the whole program
                line.say(failure(call))
            raise
        finally:
            self._running.pop(call.id, None)


def refusal(said: Iterable[bytes]) -> SwarmwireError:
    """Why the broker lets nobody in, out of all that it said to a session that is closing."""
    return _raised(next(message for message in map(decode_from_broker, said) if isinstance(message, Error)))


def _raised(error: Error) -> SwarmwireError:
    return SwarmwireError(
        ErrorCode(error.code),
        error.message,
        field=error.field,
        retry_after_ms=error.retry_after_ms,
        details=None if error.details is UNSET else decode_data(error.details),
        handler_code=error.handler_code,
    )


def _failed(method: str, error: Exception) -> None:
    log.error("the handler of %s failed", method, exc_info=error)


def _nobody(method: str, is_there: bool) -> None:
    """Nobody is connected who would register it."""
