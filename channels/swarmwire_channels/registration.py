"""Handlers: each has its own subscription and its own task, so none holds up or harms another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from inspect import isawaitable
from typing import Any, TypeAlias

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .change import Change, Changes, OnError, report

__all__ = ["Handler", "Registration"]

Handler: TypeAlias = Callable[[Change[Any]], object]
"""Called with each change, in order; what it returns is awaited if it can be."""


class Registration:
    """A handler at work. Calling it ends it; awaiting it returns once it is subscribed, or raises why it is not.

    A handler that fails is reported to `on_error` (default: a warning in the log `swarmwire.channels`) and gets the
    next change. A handler that is running when its registration ends may finish.
    """

    def __init__(self, changes: Changes[Any], handler: Handler, on_error: OnError | None = None) -> None:
        self._changes = changes
        self._handler = handler
        self._on_error = on_error
        self._interruptible = False
        self._ended = False
        self._subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="swarmwire channel handler")

    def __call__(self) -> None:
        """End it, at once and for good; harmless twice."""
        if self._ended:
            return
        self._ended = True
        self._settle(SwarmwireError(ErrorCode.CANCELLED, "The handler was removed before it was subscribed."))
        if self._interruptible:
            self._task.cancel()

    def __await__(self) -> Generator[Any, None, Registration]:
        yield from asyncio.shield(self._subscribed).__await__()
        return self

    @property
    def ended(self) -> bool:
        """Whether no further change will be handled."""
        return self._ended or self._task.done()

    def on_end(self, callback: Callable[[Registration], object]) -> None:
        """Call back once, when it has ended and let go of its subscription."""
        self._task.add_done_callback(lambda _: callback(self))

    async def aclose(self) -> None:
        """End it, and return when its subscription is closed and its handler has finished."""
        self()
        if asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            if not self._ended:
                await self._serve()
        except Exception as error:
            self._settle(error)
            report(self._on_error, error, None)
        finally:
            self._interruptible = False
            await self._changes.aclose()

    async def _serve(self) -> None:
        self._interruptible = True
        await self._changes
        self._settle(None)
        async for change in self._changes:
            self._interruptible = False
            await self._handle(change)
            if self._ended:
                return
            self._interruptible = True

    async def _handle(self, change: Change[Any]) -> None:
        try:
            answer = self._handler(change)
            if isawaitable(answer):
                await answer
        except Exception as error:
            report(self._on_error, error, change.raw)

    def _settle(self, error: Exception | None) -> None:
        if self._subscribed.done():
            return
        if error is None:
            self._subscribed.set_result(None)
        else:
            self._subscribed.set_exception(error)
            self._subscribed.exception()  # asked for, so that nobody is warned if nobody awaits it
