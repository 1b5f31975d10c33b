"""Uvicorn's protocols, made to let go of their socket.

The handshake and everything before it stay ASGI, so routing and middleware work as everywhere. The endpoint finds
`EXTENSION` among the scope's extensions and says who takes over; with its accept a `FastConnection` has the socket.
Then the endpoint returns, and its task and scope are freed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final, cast

from httptools import HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..core.hub import Hub
from ..core.ports import Peer
from .fastpath import FastConnection

__all__ = ["EXTENSION", "HandoverProtocol", "UpgradeProtocol"]

EXTENSION: Final = "swarmwire.handover"


class UpgradeProtocol(HttpToolsProtocol):
    """Give it to uvicorn as `http=`: what a client sends right behind its upgrade request is not dropped."""

    _data = b""

    def data_received(self, data: bytes) -> None:
        self._data = data
        super().data_received(data)
        self._data = b""

    def handle_websocket_upgrade(self) -> None:
        # Uvicorn calls this while it handles the exception that tells where the request ended.
        upgrade = sys.exception()
        super().handle_websocket_upgrade()
        if isinstance(upgrade, HttpParserUpgrade) and (early := self._data[upgrade.args[0] :]):
            cast(asyncio.Protocol, self.transport.get_protocol()).data_received(early)


class _GivenAway:
    """Stands where the socket was: what uvicorn does when an endpoint has returned must not reach it."""

    def close(self) -> None:
        """The socket has another owner."""

    def is_closing(self) -> bool:
        return True


class HandoverProtocol(WebSocketsSansIOProtocol):
    """Give it to uvicorn as `ws=`."""

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

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.accept" and self.handshake_complete:
            self._accepted()

    def _accepted(self) -> None:
        early, self._early = self._early, b""
        transport = self.transport
        receiver: asyncio.Protocol = self if self._taker is None else self._give(*self._taker)
        if early:
            transport.resume_reading()
            receiver.data_received(early)

    def _give(self, hub: Hub, peer: Peer) -> FastConnection:
        transport = self.transport
        self.stop_keepalive()
        self.connections.discard(self)
        self.transport = cast(asyncio.Transport, _GivenAway())
        connection = FastConnection(hub, transport, peer, cast(set[Any], self.connections))
        transport.set_protocol(connection)
        return connection
