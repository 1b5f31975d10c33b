"""Calls and the other requests that live and die with one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.messages import ClientMessage
from swarmwire_protocol.payload import decode_data, encode_data

from .core import Core
from .link import Link
from .options import UNSET, Settings, Unset
from .publisher import timed_out
from .requests import ManyReplies, OneAnswer

__all__ = ["Caller"]


class Caller:
    """Asks and waits. Nothing here is ever sent twice."""

    def __init__(self, core: Core, settings: Settings) -> None:
        self._core = core
        self._settings = settings

    async def call(self, method: str, params: Any, timeout: float | Unset | None) -> Any:
        """One answer; see `Client.call`."""
        seconds = self._seconds(timeout)
        answer = await self._ask("call", _call(method, params, seconds), seconds)
        return decode_data(answer.data) if isinstance(answer, wire.Reply) else None

    async def stream(self, method: str, params: Any, timeout: float | Unset | None) -> AsyncGenerator[Any, None]:
        """Many answers; see `Client.stream`."""
        seconds = self._seconds(timeout)
        link = self._link("call", seconds)
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        replies = ManyReplies(self._settings.queue_size, lambda: self._cancel(link, number))
        number = link.request(_call(method, params, seconds), replies)
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    raw = await replies.next()
                if raw is None:
                    return
                yield decode_data(raw)
        except TimeoutError:
            raise timed_out("call", seconds) from None
        finally:
            if not replies.complete:
                self._cancel(link, number)

    async def authenticate(self, token: str) -> None:
        """Send a new token on the live connection."""
        await self._ask("auth", lambda number: wire.Auth(id=number, token=token), self._seconds(UNSET))

    async def ping(self) -> float:
        """The milliseconds to the broker and back."""
        seconds = self._seconds(UNSET)
        self._link("ping", seconds)
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._core.ping(answer)
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise timed_out("ping", seconds) from None

    async def _ask(
        self, what: str, make: Callable[[int], ClientMessage], seconds: float | None
    ) -> wire.Ack | wire.Reply:
        link = self._link(what, seconds)
        request = OneAnswer()
        number = link.request(make, request)
        try:
            async with asyncio.timeout(seconds):
                return await request.future
        except TimeoutError:
            raise timed_out(what, seconds) from None
        finally:
            if not request.future.done() or request.future.cancelled():
                self._cancel(link, number)

    def _link(self, what: str, seconds: float | None) -> Link:
        if seconds is not None and seconds <= 0:
            raise timed_out(what, seconds)  # nothing is answered in no time, so it is not sent
        if self._core.link is None:
            raise self._core.offline(what)
        return self._core.link

    def _cancel(self, link: Link, number: int) -> None:
        """Wait no more for an answer, and let the broker know."""
        self._core.requests.forget(number)
        if self._core.link is link:
            link.tell(wire.Cancel(id=number))

    def _seconds(self, timeout: float | Unset | None) -> float | None:
        return self._settings.request_timeout if isinstance(timeout, Unset) else timeout


def _call(method: str, params: Any, seconds: float | None) -> Callable[[int], ClientMessage]:
    raw = msgspec.UNSET if params is None else encode_data(params, "params")
    timeout_ms = None if seconds is None else max(1, round(seconds * 1000))
    return lambda number: wire.Call(id=number, method=method, params=raw, timeout_ms=timeout_ms)
