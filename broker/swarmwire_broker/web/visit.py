"""One request: who asks, its body, and the session it gets."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.types import Send

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import ClientInfo, Welcome

from ..core.hub import Hub
from ..core.ports import Peer
from ..transports.handover import SOCKET
from ..transports.upgrade import bearer_token
from .errors import ClientGone, HttpError
from .exchange import Exchange, ignore

__all__ = ["INSTANCE", "MAX_INSTANCE", "PRINTABLE", "Visit", "address_of", "cut"]

INSTANCE: Final = "X-Swarmwire-Instance"

MAX_INSTANCE: Final = 128
"""Bytes of an instance's name."""

PRINTABLE: Final = "[!-~]+"
"""What a header of ours may consist of."""

_MAX_NAME: Final = 100
_MAX_DIGITS: Final = 18


class Visit:
    """What a handler has of a request.

    Attributes:
        welcome: what the login was answered with, within `session`.
    """

    welcome: Welcome
    _exchange: Exchange

    def __init__(self, request: Request, hub: Hub, send: Send) -> None:
        self.request = request
        self.hub = hub
        self.send = send
        self.timeout = hub.limits.request_timeout_ms / 1000

    @contextlib.asynccontextmanager
    async def session(self, *, brief: bool = True) -> AsyncIterator[Exchange]:
        """Log in; the session ends with the block.

        Raises:
            SwarmwireError: why nobody was let in.
        """
        client = self._client()
        peer = Peer(
            transport="http",
            address=address_of(self.request),
            token=bearer_token(self.request.headers.get("authorization")),
            shares_rates=True,
            brief=brief,
        )
        self._exchange = exchange = Exchange(self.hub, peer, _socket(self.request))
        try:
            self.welcome = await exchange.login(client)
            yield exchange
        finally:
            exchange.end()

    def _client(self) -> ClientInfo:
        name = self.request.headers.get("user-agent", "")[:_MAX_NAME] or "http"
        return ClientInfo(name=name, instance=self.header(INSTANCE, MAX_INSTANCE), kind="http")

    def header(self, name: str, most: int | None = None) -> str | None:
        """A header of printable ASCII without spaces; None where there is none.

        Raises:
            SwarmwireError: INVALID_MESSAGE.
        """
        value = self.request.headers.get(name)
        if not value:
            return None
        if not re.fullmatch(PRINTABLE, value) or (most is not None and len(value) > most):
            size = f"at most {most} " if most is not None else ""
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, f"Expected {size}printable ASCII characters without spaces.", field=name
            )
        return value

    # ---- the body

    def content_type(self, *expected: str) -> str:
        """Which of the expected types the body has.

        Raises:
            HttpError: 415.
        """
        given = self.request.headers.getlist("content-type")
        kind = given[0].partition(";")[0].strip().lower() if len(given) == 1 else ""
        if kind not in expected:
            raise _unsupported(f"Expected Content-Type: {' or '.join(expected)}.", "Content-Type")
        if self.request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise _unsupported("Expected a body without Content-Encoding.", "Content-Encoding")
        return kind

    async def body(self) -> bytes:
        """All of the body, within `session`.

        Raises:
            SwarmwireError: it is too large, takes too long, or is no UTF-8, or the session has ended.
            ClientGone: it will not come.
        """
        most = self.hub.limits.max_message_bytes
        length = self.request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > _MAX_DIGITS or int(length) > most):
            raise _too_large(most)
        await self._exchange.check()
        try:
            async with asyncio.timeout(self.timeout) as waiting:
                self._exchange.on_close = lambda _: None if waiting.expired() else waiting.reschedule(0.0)
                body = await self._read(most)
        except TimeoutError:
            await self._exchange.check()
            raise HttpError(408, ErrorCode.TIMEOUT, "The body did not come in time; nothing was done.") from None
        finally:
            self._exchange.on_close = ignore
        try:
            body.decode()
        except UnicodeDecodeError:
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected a body in valid UTF-8.") from None
        return body

    async def _read(self, most: int) -> bytes:
        parts, size, more = [], 0, True
        while more:
            message = await self.request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                raise _too_large(most)
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def until_gone(self) -> None:
        """Wait until the client goes away."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


def _socket(request: Request) -> asyncio.Transport | None:
    found: asyncio.Transport | None = request.scope.get("extensions", {}).get(SOCKET)
    return found


async def cut(request: Request) -> None:
    """Cut the socket of a client that does not take what it is sent, where the server has a way to."""
    if (socket := _socket(request)) is not None:
        socket.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):  # the server learns of it within a turn or two
                while (await request.receive())["type"] != "http.disconnect":
                    pass


def address_of(connection: HTTPConnection) -> str:
    """Where a connection comes from."""
    client = connection.client
    return f"{client.host}:{client.port}" if client is not None else ""


def _too_large(most: int) -> SwarmwireError:
    return SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, f"A body has at most {most} bytes here.")


def _unsupported(sentence: str, field: str) -> HttpError:
    return HttpError(415, ErrorCode.INVALID_MESSAGE, sentence, field=field)
