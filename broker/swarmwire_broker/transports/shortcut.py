"""The short way from a new socket to its session, where path and endpoint are ours.

An ordinary upgrade request that is allowed is answered as soon as it is read: there is no HTTP parser for it, no
scope, no task. Everything else, refusals too, is the business of an `UpgradeProtocol`, which gets the socket with all
that was read from it and with the time that is left.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, Final, Protocol, cast

import uvicorn
from uvicorn.server import ServerState

from swarmwire_protocol.takesbytes import taking_bytes

from ..core.hub import Hub
from ..core.ports import Peer
from .fastpath import FastConnection
from .handover import UpgradeProtocol, is_one_too_many
from .origin import Sites
from .upgrade import Asked, UpgradeReader, bearer_token, request_line, switching_protocols

__all__ = ["Entrance", "House", "ShortcutProtocol", "shortcut_protocol"]

_log: Final = logging.getLogger("uvicorn.error")  # where the long way writes of connections


class House(Protocol):
    """Whose sessions the connections become."""

    @property
    def is_running(self) -> bool: ...

    @property
    def hub(self) -> Hub:
        """The hub, while it is running."""
        ...


class Entrance:
    """What all connections to one path have in common: whom they lead to, and who may take the short way.

    Arguments:
        line: how an ordinary request for the path begins.
    """

    __slots__ = ("_headers", "_pairs", "_reader", "_sites", "house", "long_way", "path")

    def __init__(self, house: House, sites: Sites, path: str, line: bytes, long_way: type[UpgradeProtocol]) -> None:
        self.house = house
        self.path = path
        self.long_way = long_way
        self._sites = sites
        self._reader = UpgradeReader(line)
        self._pairs: list[tuple[bytes, bytes]] = []
        self._headers = b""

    def read(self, data: bytes) -> Asked | None:
        """The request that these bytes begin with, if it is an ordinary one that is allowed."""
        asked = self._reader.read(data)
        if asked is None or asked.end > self.long_way.limits.max_hello_bytes:
            return None
        return asked if self._sites.refusal(asked.upgrade.host, asked.upgrade.origin, "ws") is None else None

    def headers(self, pairs: list[tuple[bytes, bytes]]) -> bytes:
        """The server's own headers as they are sent. They are another list when they change, once a second."""
        if pairs is not self._pairs:
            self._pairs = pairs
            self._headers = b"".join([b"%b: %b\r\n" % pair for pair in pairs])
        return self._headers


class ShortcutProtocol:
    """One connection until it has taken one of the ways. Its limits are `UpgradeProtocol`'s."""

    __slots__ = ("_app_state", "_config", "_entrance", "_state", "_timer", "_transport")

    def __init__(
        self,
        entrance: Entrance,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._entrance = entrance
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._timer: asyncio.TimerHandle | None = None

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        limits = self._entrance.long_way.limits
        if is_one_too_many(len(self._state.connections) + 1, limits):
            transport.abort()
        else:
            self._state.connections.add(cast(Any, self))
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.auth_timeout_ms / 1000, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        data = bytes(data)  # not every loop hands out bytes: see `taking_bytes`
        asked = self._allowed(data)
        if asked is None:
            self._go_the_long_way(data)
        else:
            self._accept(asked, data)

    def eof_received(self) -> None:
        """The transport closes."""

    def shutdown(self) -> None:
        """The server is going down (uvicorn calls this)."""
        self._transport.close()

    # ---- which way

    def _allowed(self, data: bytes) -> Asked | None:
        entrance = self._entrance
        if not entrance.house.is_running or self._transport.get_extra_info("sslcontext") is not None:
            return None
        return entrance.read(data)

    def _accept(self, asked: Asked, data: bytes) -> None:
        entrance, transport = self._entrance, self._transport
        self._let_go()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        address = _address(transport)
        if _log.isEnabledFor(logging.INFO):
            _log.info('%s - "WebSocket %s" [accepted]', address, entrance.path)
        transport.write(switching_protocols(asked, entrance.headers(self._state.default_headers)))
        peer = Peer(transport="websocket", address=address, token=bearer_token(asked.upgrade.authorization))
        connection = FastConnection(entrance.house.hub, transport, peer, cast(set[Any], self._state.connections))
        transport.set_protocol(cast(asyncio.Protocol, taking_bytes(connection)))
        if len(data) > asked.end:
            connection.data_received(data[asked.end :])

    def _go_the_long_way(self, data: bytes) -> None:
        self._let_go()
        timer, self._timer = self._timer, None
        protocol = self._entrance.long_way(self._config, self._state, self._app_state)
        protocol.take(self._transport, timer)
        self._transport.set_protocol(protocol)
        protocol.data_received(data)

    def _let_go(self) -> None:
        self._state.connections.discard(cast(Any, self))


def _address(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name is not None else ""


def shortcut_protocol(house: House, sites: Sites, path: str, long_way: type[UpgradeProtocol]) -> type[asyncio.Protocol]:
    """What to give uvicorn as `http=` for a server whose WebSocket at `path` is this broker's and nobody else's.

    No middleware sees the requests that take the short way. A path that may be written in more than one way has none.
    """
    line = request_line(path)
    if line is None:
        return long_way
    entrance = Entrance(house, sites, path, line, long_way)
    return cast(type[asyncio.Protocol], partial(ShortcutProtocol, entrance))
