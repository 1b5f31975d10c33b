"""The ways to reach a broker, each with a broker that listens there and a connection of the SDK that leads to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from swarmwire.connection import Connection
from swarmwire.dial import connection_for
from swarmwire.options import Settings
from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_protocol.places import socket_path

from ..broker.transports.houses import serving
from ..broker.transports.wire import eventually
from .lines import LineConnection
from .talk import PATIENCE, Talk

__all__ = ["WAYS", "House", "Place", "Way"]

_numbers = itertools.count(1)


class Place:
    """Where a broker is found, also after a restart."""

    def __init__(self, data: Path | None = None) -> None:
        self.name = f"conformance-{os.getpid()}-{next(_numbers)}"
        self.port = 0
        self.data = data

    @property
    def socket(self) -> Path:
        return socket_path(self.name)


class House:
    """A broker that can be reached in one way.

    Attributes:
        url: what the SDK is given; None where it has no such transport.
        sockets: the connections that are open, with or without a session.
    """

    def __init__(self, way: str, place: Place, broker: Broker, sockets: Collection[Any]) -> None:
        self.way = way
        self.place = place
        self.broker = broker
        self.sockets = sockets
        self.stop: Callable[[], Any] = _nothing

    @property
    def hub(self) -> Hub:
        return self.broker.hub

    @property
    def url(self) -> str | None:
        match self.way:
            case "ws" | "asgi":
                return f"ws://127.0.0.1:{self.place.port}/ws"
            case "unix":
                return f"unix://{quote(str(self.place.socket))}"
            case "pipe":
                return f"pipe://{self.place.name}"
            case "http":
                return f"http://127.0.0.1:{self.place.port}"
        return None

    def connection(self) -> Connection:
        """A connection, not yet open."""
        if self.url is None:
            return LineConnection(self.place.socket)
        return connection_for(Settings(url=self.url))

    async def talk(self, **hello: Any) -> Talk:
        """A connection with its welcome."""
        return await Talk.welcomed(self.connection(), **hello)

    @asynccontextmanager
    async def undisturbed(self) -> AsyncIterator[None]:
        """Somebody else, on a connection that was there before: it gets what is published before and after."""
        other = await self.talk()
        await other.subscribe("other")
        await other.publish("other", "before")
        reading = asyncio.ensure_future(other.data(2, patience=3 * PATIENCE))  # which answers the heartbeat, too
        try:
            yield
            other.send(type="publish", topic="other", data="after")
            assert await reading == ["before", "after"]
            await other.close()
        finally:
            reading.cancel()

    async def is_clean(self) -> None:
        """Wait until nothing is left of anybody."""
        delivery = self.hub.delivery
        await eventually(lambda: not self.hub.sessions and not delivery.outboxes and not self.sockets)
        assert delivery.router.patterns == 0
        assert len(delivery.catchup) == 0


Serve = Callable[..., AbstractAsyncContextManager[House]]


class Way(NamedTuple):
    """One way: `serve(place, **limits)` is a house."""

    serve: Serve
    sentence: str


def _through_server(way: str) -> Serve:
    @asynccontextmanager
    async def serve(place: Place, **limits: Any) -> AsyncIterator[House]:
        settings: dict[str, Any] = {"unix": "off"}
        if way in ("unix", "lines"):
            settings = {"unix": str(place.socket)}
        elif way == "pipe":
            settings["pipe"] = place.name
        config = Config(port=place.port, name=place.name, data=_text(place.data), limits=Limits(**limits), **settings)
        async with Server(config) as server:
            place.port = server.port
            house = House(way, place, server.broker, _sockets_of(server))
            house.stop = server.stop
            yield house

    return serve


@asynccontextmanager
async def _asgi(place: Place, **limits: Any) -> AsyncIterator[House]:
    broker = Broker(Config(name=place.name, data=_text(place.data), limits=Limits(**limits)))
    async with contextlib.AsyncExitStack() as stack:
        await broker.start()
        stack.push_async_callback(broker.stop)
        app = create_app(broker)
        place.port, server = await stack.enter_async_context(
            serving(app, ws="websockets-sansio", port=place.port, lifespan="off")
        )
        house = House("asgi", place, broker, server.server_state.connections)

        async def stop() -> None:
            broker.drain()
            await eventually(lambda: not broker.hub.sessions)

        house.stop = stop
        yield house


WAYS: Final[dict[str, Way]] = {
    "ws": Way(_through_server("ws"), "WebSocket, as `swarmwire serve` has it"),
    "asgi": Way(_asgi, "WebSocket, mounted into an application under any ASGI server"),
    "unix": Way(_through_server("unix"), "Unix socket, frames"),
    "lines": Way(_through_server("lines"), "Unix socket, a JSON message a line"),
    "pipe": Way(_through_server("pipe"), "named pipes (FIFOs)"),
    "http": Way(_through_server("http"), "HTTP: requests and server-sent events"),
}


def _sockets_of(server: Server) -> Collection[Any]:
    listeners = server._listeners._open
    if listeners:
        connections: Collection[Any] = listeners[0].connections  # type: ignore[attr-defined]
        return connections
    assert server._uvicorn is not None
    return server._uvicorn.server_state.connections


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


async def _nothing() -> None:
    await asyncio.sleep(0)
