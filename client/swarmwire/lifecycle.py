"""How a client begins and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Any, Self

from .core import Core
from .emitter import Emitter
from .errors import Disconnected, ErrorCode, SwarmwireError, afresh
from .handlers import Handlers
from .options import Settings
from .supervisor import Supervisor

__all__ = ["Lifecycle"]

_log = logging.getLogger("swarmwire.client")


class Lifecycle:
    """What runs below a client: its core, the task that keeps it connected, and their end."""

    _handlers: Handlers

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._emitter = Emitter()
        self._core = Core(settings, self._emitter)
        self._supervisor = Supervisor(settings, self._core, self._emitter)
        self._closing = False
        self._life: asyncio.Task[None] | None = None
        self._goodbye: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closing or self._core.ended else "ready" if self._core.link else "not connected"
        return f"<{type(self).__name__} of {self._settings.shown_url}, {state}>"

    async def start(self) -> Self:
        """Connect; `connect()` does this.

        Raises:
            SwarmwireError: when there is no welcome, and none is to be expected.
        """
        self._check_open()
        if self._life is None:
            self._life = asyncio.get_running_loop().create_task(self._live())
        try:
            await asyncio.wait([self._life, self._supervisor.first], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._life.cancel()
            await asyncio.wait([self._life])
            raise
        if not self._supervisor.first.done():
            self._check_open()
        return self

    async def disconnect(self) -> None:
        """Send what `publish()` took, within `drain_timeout`, and close for good. Harmless twice.

        Iterators end, whoever waits for an answer gets an error, and nothing connects again.
        """
        self._closing = True
        self._handlers.spare(asyncio.current_task())
        if self._goodbye is None:
            self._goodbye = asyncio.get_running_loop().create_task(self._leave(asyncio.current_task()))
        await asyncio.shield(self._goodbye)

    async def finished(self) -> None:
        """Wait until there will be no connection any more.

        Raises:
            SwarmwireError: why; nothing is raised after `disconnect()`.
        """
        if self._life is not None:
            await asyncio.wait([self._life])
        if not self._closing:
            self._check_open()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    def _check_open(self) -> None:
        if self._core.ended is not None:
            raise afresh(self._core.ended)
        if self._closing:
            raise Disconnected(ErrorCode.UNAVAILABLE, "The client was disconnected.")

    def _renewed(self, token: str) -> None:
        if not callable(self._supervisor.token):
            self._supervisor.token = token
        if self._core.link is not None:
            self._emitter.emit("authenticated", self._core.link.welcome.identity)

    # ---- Inside

    async def _live(self) -> None:
        """Stay connected until that is over, and tell everyone."""
        error: SwarmwireError | None = None
        try:
            error = await self._supervisor.run()
        except Exception as fault:
            _log.exception("the client failed")
            error = SwarmwireError(ErrorCode.INTERNAL_ERROR, f"The client failed with {type(fault).__name__}.")
        finally:
            self._core.end(error)
        if error is not None and self._supervisor.first.done():  # before, start() raises it
            self._emitter.report("the connection ended for good", error)

    async def _leave(self, caller: asyncio.Task[Any] | None) -> None:
        await self._core.callhandlers.finish(self._settings.drain_timeout, caller)
        if self._life is not None:
            await self._drain(self._life)
            self._core.ending()
            await self._supervisor.leave()
            self._life.cancel()
            await asyncio.wait([self._life])
        self._core.end(None)
        await self._handlers.finish(self._settings.drain_timeout)

    async def _drain(self, life: asyncio.Task[None]) -> None:
        """Wait until what was published is acknowledged, unless the connection fails for good before."""
        drained = asyncio.get_running_loop().create_task(self._core.outgoing.drained())
        await asyncio.wait([drained, life], timeout=self._settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drained
