"""Uvicorn's WebSocket protocol, made to let go of its socket.

The handshake and everything before it stay ASGI, so routing and middleware work as everywhere. Once the endpoint has
accepted, it finds `EXTENSION` among the scope's extensions and hands the connection over; then it returns, its
task and scope are freed, and a `FastConnection` has the socket.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..core.hub import Hub
from ..core.ports import Peer
from .fastpath import FastConnection

__all__ = ["EXTENSION", "HandoverProtocol"]

EXTENSION: Final = "swarmwire.handover"


class _GivenAway:
    """Stands where the socket was: what uvicorn does when an endpoint has returned must not reach it."""

    def close(self) -> None:
        """The socket has another owner."""

    def is_closing(self) -> bool:
        return True


class HandoverProtocol(WebSocketsSansIOProtocol):
    """Give it to uvicorn as `ws=`."""

    async def run_asgi(self) -> None:
        extensions = cast(dict[str, Any], self.scope["extensions"])
        extensions[EXTENSION] = self.hand_over
        await super().run_asgi()

    def hand_over(self, hub: Hub, peer: Peer) -> None:
        """Give the socket to a session. The handshake must be complete."""
        transport = self.transport
        self.stop_keepalive()
        self.connections.discard(self)
        self.transport = cast(asyncio.Transport, _GivenAway())
        connection = FastConnection(hub, transport, peer, cast(set[Any], self.connections))
        transport.set_protocol(connection)
        waiting = self._take_waiting()
        if self.conn.reader.buffer or self.conn.current_size is not None:
            connection.adopt(self.conn, [bytes(part) for part in self.frames])
        if self.read_paused:
            transport.resume_reading()
        for message in waiting:
            if isinstance(message, str):
                connection.session.receive(message.encode())
            else:
                connection.session.malformed("Expected a text message, got a binary one.", len(message))

    def _take_waiting(self) -> list[str | bytes]:
        """Messages that came between the handshake and now."""
        found: list[str | bytes] = []
        while not self.queue.empty():
            event = cast(dict[str, Any], self.queue.get_nowait())
            if event["type"] == "websocket.receive":
                found.append(event["text"] if event.get("text") is not None else event["bytes"])
        return found
