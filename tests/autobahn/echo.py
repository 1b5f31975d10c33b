"""An echo on the broker's own WebSocket path, for the Autobahn suite: the real upgrade, the real frames, no protocol.

`python echo.py` listens at a free port of 127.0.0.1 and writes it to standard output.
"""

from __future__ import annotations

import socket
from typing import Any, Final, cast

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from swarmwire_broker.clock import LoopClock
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Peer, Sink
from swarmwire_broker.core.session import Session
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_broker.transports.fastpath import FastConnection
from swarmwire_broker.transports.handover import EXTENSION, HandoverProtocol, upgrade_protocol
from swarmwire_protocol.errors import CloseCode, SwarmwireError

__all__ = ["EchoConnection", "EchoHub", "EchoProtocol", "EchoSession"]

_BINARY: Final = b"\x82"

# Room for the suite's largest message, and no hurry: nobody ever says hello.
_LIMITS: Final = Limits(max_hello_bytes=64 << 20, auth_timeout_ms=3_600_000)


class EchoSession(Session):
    """Says what it hears. It ends a connection with the close frame alone, where the broker's would say why first."""

    __slots__ = ()

    def receive(self, raw: bytes) -> None:
        sink = self.outbox.sink
        sink.write(sink.framer.join([raw]))

    def receive_binary(self, raw: bytes) -> None:
        sink = self.outbox.sink
        sink.write(_BINARY + sink.framer.join([raw])[1:])

    def paused(self) -> None:
        self.outbox.sink.pause_reading()

    def resumed(self) -> None:
        self.outbox.sink.resume_reading()

    def fail(self, error: SwarmwireError, code: CloseCode) -> None:
        self.close(code, error.message, quiet=True)


class EchoHub(Hub):
    """Has sessions that echo."""

    def connect(self, sink: Sink, peer: Peer) -> Session:
        session = EchoSession(self, sink, peer)
        self.sessions[session.client_id] = session
        return session


class EchoConnection(FastConnection):
    """Binary messages are messages too."""

    __slots__ = ()

    def _binary_message(self, message: bytes) -> None:
        cast(EchoSession, self.session).receive_binary(message)


class EchoProtocol(HandoverProtocol):
    """The broker's upgrade, with an echo behind it."""

    connection_class = EchoConnection


class _App:
    """Accepts every WebSocket. It makes its hub on the loop that it runs on."""

    def __init__(self) -> None:
        self._hub: EchoHub | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        if self._hub is None:
            clock = LoopClock()
            self._hub = EchoHub(MemoryEngine(now_ms=clock.now_ms), clock, limits=_LIMITS)
        extensions: dict[str, Any] = scope["extensions"] or {}
        extensions[EXTENSION](self._hub, Peer(transport="websocket"))
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})


def _serve() -> None:
    config = uvicorn.Config(
        _App(),
        http=upgrade_protocol(_LIMITS),
        ws=EchoProtocol,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="critical",
    )
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve()
