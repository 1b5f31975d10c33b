"""Uvicorn's protocols, made to let go of their socket.

The handshake and everything before it stay ASGI, so routing and middleware work as everywhere. The endpoint finds
`EXTENSION` among the scope's extensions and says who takes over; with its accept a `FastConnection` has the socket.
Then the endpoint returns, and its task and scope are freed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, ClassVar, Final, cast

from httptools import HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from swarmwire_protocol.takesbytes import taking_bytes

from ..core.hub import Hub
from ..core.ports import Peer
from ..core.settings import Limits
from .fastpath import FastConnection

__all__ = ["EXTENSION", "SOCKET", "HandoverProtocol", "UpgradeProtocol", "is_one_too_many", "upgrade_protocol"]

EXTENSION: Final = "swarmwire.handover"

SOCKET: Final = "swarmwire.socket"
"""The extension of a request's scope that is its transport: to see whether anybody reads from it, and to cut it."""

_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class UpgradeProtocol(HttpToolsProtocol):
    """What is said before the upgrade: bounded in size and in time, and nothing right behind it is dropped.

    `upgrade_protocol` makes one with limits of your own:

    - `max_hello_bytes` is the most a request's head may take, else 431; trailers of a body count likewise.
    - `auth_timeout_ms` is the time for a head, from the connection or from the first byte after an answer.
    - `request_timeout_ms` is the time for the client to take an answer.
    - `max_connections` and `max_unauthenticated` together are the sockets open at once; one more is cut.
    """

    limits: ClassVar[Limits] = Limits()

    _data = b""
    _unparsed = 0  # bytes since the parser last told of something other than a header
    _has_moved = False
    _timer: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if is_one_too_many(len(self.connections), self.limits):
            self.connections.discard(self)
            transport.abort()
        else:
            self._start_timer()

    def take(self, transport: asyncio.Transport, timer: asyncio.TimerHandle | None) -> None:
        """Go on with a connection that somebody else has accepted, with its timer for the head."""
        self._timer = timer
        self.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_taking()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # In steps that end where a head would be too long, so that what comes behind it does not matter.
        self._data = data
        while self._data and self._is_ours():
            self._step(self.limits.max_hello_bytes - self._unparsed)
        self._data = b""
        if self._is_ours() and self._is_answered():
            self._start_timer()

    def _step(self, size: int) -> None:
        step, rest = self._data[:size], self._data[size:]
        self._has_moved = False
        super().data_received(step)
        self._data = rest
        self._unparsed = 0 if self._has_moved else self._unparsed + len(step)
        if self._unparsed >= self.limits.max_hello_bytes and self._is_ours():
            self._refuse_head()

    def _refuse_head(self) -> None:
        if self._is_answered():
            self.transport.write(_HEAD_TOO_LARGE)
        self.transport.close()

    # ---- state

    def _is_ours(self) -> bool:
        return not self.transport.is_closing() and self.transport.get_protocol() is self

    def _is_answered(self) -> bool:
        """It is the client's turn."""
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.auth_timeout_ms / 1000, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop_taking()
        self._taking = self.loop.call_later(self.limits.request_timeout_ms / 1000, self._cut_untaken)

    def _cut_untaken(self) -> None:
        # Of the next answer on the same connection it says nothing: that has a time of its own.
        if self._is_answered() and self.transport.get_write_buffer_size() > 0:
            self.transport.abort()

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    # ---- the parser's side

    def on_headers_complete(self) -> None:
        self._has_moved = True
        self._stop_timer()
        cast(dict[str, Any], self.scope)["extensions"] = {SOCKET: self.transport}
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._has_moved = True

    def on_body(self, body: bytes) -> None:
        self._has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_moved = True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_timer()
        # Uvicorn calls this while it handles the exception that tells where the request ended.
        upgrade = sys.exception()
        super().handle_websocket_upgrade()
        if self.transport.is_closing() or not isinstance(upgrade, HttpParserUpgrade):
            return
        if early := self._data[upgrade.args[0] :]:
            cast(asyncio.Protocol, self.transport.get_protocol()).data_received(early)


def is_one_too_many(sockets: int, limits: Limits) -> bool:
    """Whether so many open sockets are more than there may be, whatever they speak."""
    some, others = limits.max_connections, limits.max_unauthenticated
    return some is not None and others is not None and sockets > some + others


def upgrade_protocol(limits: Limits) -> type[UpgradeProtocol]:
    """What to give uvicorn as `http=`, for these limits."""
    return type("UpgradeProtocol", (UpgradeProtocol,), {"limits": limits})


class _GivenAway:
    """Stands where the socket was: what uvicorn does when an endpoint has returned must not reach it."""

    def close(self) -> None:
        """The socket has another owner."""

    def is_closing(self) -> bool:
        return True


class HandoverProtocol(WebSocketsSansIOProtocol):
    """Give it to uvicorn as `ws=`. `connection_class` is who takes over."""

    connection_class: ClassVar[type[FastConnection]] = FastConnection

    _early = b""
    _taker: tuple[Hub, Peer] | None = None

    async def run_asgi(self) -> None:
        if not self.conn.extensions:  # compressed messages are not for a FastConnection
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self.hand_over
        await super().run_asgi()

    def hand_over(self, hub: Hub, peer: Peer) -> None:
        """Give the socket to a session of this hub as soon as the endpoint accepts."""
        self._taker = (hub, peer)

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and not self.handshake_complete:
            # The client did not wait for the answer. One read of it is kept, the rest stays in its socket.
            self._early += data
            self.transport.pause_reading()
        else:
            super().data_received(data)
            if not self.handshake_initiated:
                # The head came whole, and still it is none that makes a request: too many headers, a line too long.
                self.transport.write(b"".join(self.conn.data_to_send()))
                self.transport.close()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.accept" and self.handshake_complete:
            self._accepted()
        elif message["type"] == "websocket.http.response.body" and self.close_sent:
            # Uvicorn takes only an accept or a close for an answer, and would log an error for this one.
            self.handshake_complete = True

    def _accepted(self) -> None:
        early, self._early = self._early, b""
        transport = self.transport
        receiver = self if self._taker is None else self._give(*self._taker)
        if early:
            transport.resume_reading()
            receiver.data_received(early)

    def _give(self, hub: Hub, peer: Peer) -> FastConnection:
        transport = self.transport
        self.stop_keepalive()
        self.connections.discard(self)
        self.transport = cast(asyncio.Transport, _GivenAway())
        connection = self.connection_class(hub, transport, peer, cast(set[Any], self.connections))
        transport.set_protocol(cast(asyncio.Protocol, taking_bytes(connection)))
        return connection
