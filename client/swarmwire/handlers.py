"""Functions that are called with events, each at its own pace."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias

from .emitter import Emitter
from .errors import SwarmwireError
from .records import Event
from .subscription import Subscription

__all__ = ["EventHandler", "Handlers", "Registration"]

EventHandler: TypeAlias = Callable[[Event], Awaitable[object] | object]
"""A function or coroutine function that takes an event."""


class Registration:
    """A handler and its subscription. Call it to end both; await it until the broker has acknowledged them.

    The handler gets one event after the other, in order, and holds up nobody else. What it raises is reported as
    the state event `error`, and so is a refused subscription.
    """

    def __init__(
        self, handler: EventHandler, subscription: Subscription[Event], emitter: Emitter, *, once: bool
    ) -> None:
        self.handler = handler
        self._subscription = subscription
        self._emitter = emitter
        self._once = once
        self.task = asyncio.get_running_loop().create_task(self._run())

    def __repr__(self) -> str:
        return f"Registration({self._subscription.pattern!r}, {self.handler!r})"

    def __call__(self) -> None:
        """Unsubscribe; an event that is being handled is handled to its end. Harmless twice."""
        self._subscription.close()

    def __await__(self) -> Generator[Any, None, None]:
        return self._acknowledged().__await__()

    async def _acknowledged(self) -> None:
        await self._subscription.acknowledged()

    async def _run(self) -> None:
        try:
            async for event in self._subscription:
                if self._once:
                    self()
                await self._handle(event)
        except SwarmwireError as error:
            self._emitter.report(f"handling {self._subscription.pattern} ended", error)
        finally:
            self()

    async def _handle(self, event: Event) -> None:
        try:
            result = self.handler(event)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            self._emitter.report(f"a handler of {self._subscription.pattern} failed", error)


class Handlers:
    """All registrations of a client."""

    def __init__(self, subscribe: Callable[..., Subscription[Event]], emitter: Emitter) -> None:
        self._subscribe = subscribe
        self._emitter = emitter
        self._registrations: set[Registration] = set()
        self._spared: set[asyncio.Task[Any] | None] = set()

    def add(
        self, pattern: str, handler: EventHandler | None, options: dict[str, Any], *, once: bool
    ) -> Registration | Callable[[EventHandler], Registration]:
        """Register a handler; without one, return the decorator that does."""
        if handler is None:
            return lambda given: self._register(pattern, given, options, once=once)
        return self._register(pattern, handler, options, once=once)

    def spare(self, task: asyncio.Task[Any] | None) -> None:
        """Do not wait for this task, which waits for the end itself: `disconnect()` may be called in a handler."""
        self._spared.add(task)

    async def finish(self, timeout: float | None) -> None:
        """Let handlers that are at work come to their end; those that do not within `timeout` are cancelled."""
        tasks = {each.task for each in self._registrations} - self._spared
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=timeout)

    def _register(self, pattern: str, handler: EventHandler, options: dict[str, Any], *, once: bool) -> Registration:
        if options.get("gaps") or options.get("live"):
            raise TypeError("handlers take events only; listen to the state event 'gap'")
        registration = Registration(handler, self._subscribe(pattern, **options), self._emitter, once=once)
        self._registrations.add(registration)
        registration.task.add_done_callback(lambda _: self._registrations.discard(registration))
        return registration
