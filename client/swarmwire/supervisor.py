"""Keeps a client connected: one connection after the other, with the waits between, until there is no point."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import secrets

from swarmwire_protocol.errors import CloseCode
from swarmwire_protocol.messages import ClientInfo, Hello

from .backoff import Backoff
from .core import Core
from .emitter import Emitter
from .errors import Disconnected, ErrorCode, SwarmwireError
from .loss import Loss
from .options import Settings, Token
from .reach import Reach
from .session import Session
from .version import VERSION

__all__ = ["Supervisor"]

_log = logging.getLogger("swarmwire.client")


class Supervisor:
    """Runs sessions. `run` returns when no other connection will follow; `leave` makes it so by intent."""

    def __init__(self, settings: Settings, core: Core, emitter: Emitter) -> None:
        self._settings = settings
        self._core = core
        self._emitter = emitter
        self._reach = Reach(settings)
        self.token: Token | None = settings.token
        self._instance = secrets.token_hex(16)
        self._backoff = Backoff(settings.base_delay, settings.max_delay)
        self._session: Session | None = None
        self._leaving = False
        self._welcomed = self._lived = self._expired = self._stopped = False
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done at the first welcome; if there is none, `run` returns first."""

    @property
    def place(self) -> str | None:
        """The URL of the last connection."""
        return self._reach.place

    async def run(self) -> SwarmwireError | None:
        """Connect and stay connected; returns why that ended, None if by intent."""
        while True:
            loss = await self._live()
            if self._leaving:
                return None
            delay = self._delay(loss)
            if delay is None:
                return self._verdict(loss)
            attempt = self._backoff.attempt
            _log.info("%s; attempt %d to connect again in %.1f s", loss.error, attempt, delay)
            self._emitter.emit("reconnecting", attempt, delay)
            await asyncio.sleep(delay)

    async def leave(self) -> None:
        """Close politely; no other connection follows."""
        self._leaving = True
        if self._session is not None:
            await self._session.leave()

    # ---- One connection

    async def _live(self) -> Loss:
        self._lived = False
        try:
            self._session = await self._attempt()
        except Loss as failure:
            return failure
        self._backoff.reset()
        self._welcomed, self._lived, self._expired = True, True, False
        code, reason = int(CloseCode.NORMAL), "The client is done."
        if not self.first.done():
            self.first.set_result(None)
        try:
            loss = await self._session.run()
            self._stopped = loss.stopped
            if not self._leaving:
                code, reason = loss.code, loss.reason
            return loss
        finally:
            self._session = None
            self._emitter.emit("disconnected", code, reason)

    async def _attempt(self) -> Session:
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                # What was stopped on purpose is not started again by those who had been connected to it.
                return await self._reach.session(self._core, await self._hello(), may_start=not self._stopped)
        except TimeoutError:
            raise Loss(SwarmwireError(ErrorCode.UNAVAILABLE, self._no_welcome())) from None

    def _no_welcome(self) -> str:
        log = "" if self._reach.log is None else f" A broker was started; its log is {self._reach.log}."
        return f"No welcome came from {self._settings.shown_url} within {self._settings.connect_timeout} s.{log}"

    async def _hello(self) -> Hello:
        name = self._settings.name or "swarmwire-python"
        client = ClientInfo(name=name, version=VERSION, instance=self._instance, pid=os.getpid(), kind="sdk")
        return Hello(
            versions=list(self._settings.versions),
            client=client,
            token=await self._fetched_token(),
            metadata=self._settings.metadata,
        )

    async def _fetched_token(self) -> str | None:
        if self.token is None or isinstance(self.token, str):
            return self.token
        try:
            token = self.token()
            return await token if inspect.isawaitable(token) else token
        except Exception as error:
            # Where tokens come from may be down as a broker may be; nothing of its words, which may hold secrets.
            raise Loss(
                SwarmwireError(ErrorCode.UNAVAILABLE, f"Fetching a token failed with {type(error).__name__}.")
            ) from error

    # ---- What follows

    def _delay(self, loss: Loss) -> float | None:
        """The seconds until the next attempt; None if there is none."""
        if loss.error.code is ErrorCode.TOKEN_EXPIRED and self._may_renew():
            self._expired = True
            delay = self._backoff.next()
            return delay if self._lived else 0.0  # a token that is taken and expires at once must not spin
        settings = self._settings
        retries = settings.reconnect if self._welcomed else settings.retry_first
        spent = settings.max_attempts is not None and self._backoff.attempt >= settings.max_attempts
        if loss.final or not retries or spent:
            return None
        delay = self._backoff.next()
        return delay if loss.after is None else loss.after

    def _may_renew(self) -> bool:
        """Whether a fresh token is worth one attempt: two refusals in a row are final."""
        return callable(self.token) and not self._expired and (self._settings.reconnect or not self._welcomed)

    def _verdict(self, loss: Loss) -> SwarmwireError:
        if loss.final or not self._backoff.attempt:
            return loss.error
        error = Disconnected(
            ErrorCode.UNAVAILABLE, f"Gave up after {self._backoff.attempt} attempts to connect: {loss.error}"
        )
        error.__cause__ = loss.error
        return error
