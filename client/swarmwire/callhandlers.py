"""Functions that answer calls: registered at the broker as long as there is a connection, and again after each loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import aclosing
from enum import Enum
from functools import partial
from typing import Any, Final

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import encode
from swarmwire_protocol.handling import Function, Handling, failure, too_large
from swarmwire_protocol.payload import encode_data

from .emitter import Emitter
from .errors import ErrorCode, SwarmwireError, afresh, error_from
from .link import Link
from .requests import Answer

__all__ = ["MAX_CALLS", "CallHandler", "CallHandlers"]

MAX_CALLS: Final = 100
"""Calls of one method that run at once, unless a handler says otherwise."""


class _State(Enum):
    WAITING = "waiting"
    REGISTERED = "registered"
    REFUSED = "refused"
    ENDED = "ended"


class CallHandler:
    """A function that answers calls of a method. Call it to end that; await it until the broker hands it calls.

    Calls that run when it ends run on. What the function raises, but for `CallError`, is reported as the state event
    `error`, and so is a refusal of the broker; after a new connection it is asked again.
    """

    def __init__(self, handling: Handling, max_calls: int | None, end: Callable[[CallHandler], None]) -> None:
        self._handling = handling
        self._max_calls = max_calls
        self._end = end
        self._state = _State.WAITING
        self._refusal: SwarmwireError | None = None
        self._news = asyncio.Event()
        self._running = 0

    def __repr__(self) -> str:
        return f"CallHandler({self.method!r}, {self.function!r})"

    @property
    def method(self) -> str:
        """What it answers."""
        return self._handling.method

    @property
    def function(self) -> Function:
        return self._handling.function

    @property
    def is_registered(self) -> bool:
        """Whether the broker hands it calls."""
        return self._state is _State.REGISTERED

    def __call__(self) -> None:
        """Answer no more calls; those that run go on. Harmless twice."""
        self._end(self)

    def __await__(self) -> Generator[Any, None, None]:
        return self._registered().__await__()

    async def _registered(self) -> None:
        while self._state is _State.WAITING:
            self._news.clear()
            await self._news.wait()
        if self._refusal is not None:
            raise afresh(self._refusal)

    def become(self, state: _State, refusal: SwarmwireError | None = None) -> None:
        if self._state is not _State.ENDED:
            self._state, self._refusal = state, refusal
            self._news.set()

    # ---- running calls

    def take(self) -> bool:
        """Count one more call that runs; False: there are as many as may be."""
        if self._max_calls is not None and self._running >= self._max_calls:
            return False
        self._running += 1
        return True

    async def run(self, link: Link, call: wire.Dispatch, room: Callable[[], asyncio.Future[None]]) -> None:
        """Answer a call that was taken."""
        async with aclosing(self._handling.answers(call)) as answers:
            async for answer in answers:
                if not _say(link, call, answer) or not getattr(answer, "more", False):
                    return
                # A stream gives others their turn, and is no faster than the socket.
                await asyncio.sleep(0)
                while not link.writable:
                    await asyncio.shield(room())  # others wait for it too

    def done(self) -> None:
        """A call that was taken runs no more."""
        self._running -= 1


class CallHandlers:
    """All call handlers of a client, one a method."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._by_method: dict[str, CallHandler] = {}
        self._running: dict[wire.RequestId, asyncio.Task[None]] = {}
        self._link: Link | None = None
        self._room: asyncio.Future[None] | None = None

    def add(self, method: str, function: Function, max_calls: int | None) -> CallHandler:
        """Let a function answer calls of a method.

        Raises:
            SwarmwireError: CONFLICT where one does already.
            TypeError: a function that takes more than the parameters and the call.
        """
        if method in self._by_method:
            raise SwarmwireError(ErrorCode.CONFLICT, f"This client handles {method!r} already.", field="method")
        handler = CallHandler(Handling(method, function, self._failed), max_calls, self._remove)
        self._by_method[method] = handler
        if self._link is not None:
            self._register(self._link, handler)
        return handler

    def _remove(self, handler: CallHandler) -> None:
        if self._by_method.get(handler.method) is not handler:
            return
        del self._by_method[handler.method]
        if self._link is not None:
            self._link.request(_request("rpc.unregister", handler.method), _Unregistered())
        gone = SwarmwireError(ErrorCode.CANCELLED, "The handler was taken away.")
        handler.become(_State.ENDED, gone)

    def _failed(self, method: str, error: Exception) -> None:
        self._emitter.report(f"the handler of {method} failed", error)

    # ---- the connection

    def connected(self, link: Link) -> None:
        """There is a connection: ask for the calls of every method."""
        self._link = link
        for handler in self._by_method.values():
            self._register(link, handler)

    def lost(self) -> None:
        """The connection is gone, and with it whoever waits for an answer."""
        self._link = None
        for handler in self._by_method.values():
            handler.become(_State.WAITING)
        running, self._running = self._running, {}
        for task in running.values():
            task.cancel()
        self.writable()

    def end(self, error: SwarmwireError) -> None:
        """There will be no connection any more."""
        for handler in self._by_method.values():
            handler.become(_State.ENDED, error)
        self._by_method.clear()

    def writable(self) -> None:
        """The connection takes more."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _register(self, link: Link, handler: CallHandler) -> None:
        request = _Registering(partial(self._answered, handler))
        try:
            link.request(_request("rpc.register", handler.method), request)
        except SwarmwireError as error:  # a name as long as no message
            self._answered(handler, error)

    def _answered(self, handler: CallHandler, refusal: SwarmwireError | None) -> None:
        if self._by_method.get(handler.method) is not handler:
            return
        if refusal is None:
            handler.become(_State.REGISTERED)
        else:
            handler.become(_State.REFUSED, refusal)
            self._emitter.report(f"handling {handler.method} was refused", refusal)

    # ---- calls

    def take(self, call: wire.Dispatch) -> None:
        """The broker hands a call to this client."""
        link = self._link
        if link is None:
            return
        handler = self._by_method.get(call.method)
        if handler is None:
            sentence = f"This client does not handle {call.method}."
            link.tell(wire.Error(id=call.id, code=ErrorCode.METHOD_NOT_FOUND, message=sentence))
        elif not handler.take():
            sentence = "The handler has as many calls as it takes at once."
            link.tell(wire.Error(id=call.id, code=ErrorCode.UNAVAILABLE, message=sentence))
        else:
            task = asyncio.get_running_loop().create_task(self._run(handler, link, call))
            self._running[call.id] = task
            task.add_done_callback(partial(self._done, handler, call.id))

    async def _run(self, handler: CallHandler, link: Link, call: wire.Dispatch) -> None:
        try:
            await handler.run(link, call, self._until_writable)
        except BaseException:
            # Not cancelled by us: by the function itself, or it ends the whole program.
            if self._running.get(call.id) is asyncio.current_task():
                link.tell(failure(call))
            raise

    def _done(self, handler: CallHandler, request: wire.RequestId, task: asyncio.Task[None]) -> None:
        handler.done()
        if self._running.get(request) is task:  # another broker may have given the same id meanwhile
            del self._running[request]

    def cancel(self, request: wire.RequestId) -> None:
        """Nobody waits for this answer any more."""
        task = self._running.pop(request, None)
        if task is not None:
            task.cancel()

    def _until_writable(self) -> asyncio.Future[None]:
        if self._room is None or self._room.done():
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    async def finish(self, timeout: float | None, spared: asyncio.Task[Any] | None) -> None:
        """Take no more calls, and let those that run come to their end; who does not within `timeout` is cancelled."""
        for handler in list(self._by_method.values()):
            self._remove(handler)
        tasks = {task for task in self._running.values() if task is not spared}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout)
        self._running.clear()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout)


class _Registering:
    """A registration on its way."""

    def __init__(self, done: Callable[[SwarmwireError | None], None]) -> None:
        self._done = done

    def answer(self, message: Answer) -> bool:
        self._done(error_from(message) if isinstance(message, wire.Error) else None)
        return True

    def lost(self) -> None:
        """It is asked again on the next connection."""


class _Unregistered:
    """An end on its way; nobody waits for it."""

    def answer(self, message: Answer) -> bool:
        return True

    def lost(self) -> None:
        """With the connection the registration is gone."""


def _request(name: str, method: str) -> Callable[[int], wire.Call]:
    params = encode_data({"methods": [method]})
    return lambda number: wire.Call(id=number, method=name, params=params)


def _say(link: Link, call: wire.Dispatch, answer: wire.Reply | wire.Error) -> bool:
    """Send an answer; False: it is over the broker's limit, and the call has failed."""
    payload = encode(answer)
    most = link.max_message_bytes
    if most is not None and len(payload) > most:
        link.tell(too_large(call, most))
        return False
    link.send(payload)
    return True
