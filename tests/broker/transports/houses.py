"""Brokers that listen: once with sessions on bare sockets, once as a plain ASGI application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn

from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server

from .wire import PATIENCE, Wire, eventually


class House:
    """A broker that can be reached."""

    def __init__(self, kind: str, broker: Broker, port: int, connections: set[Any]) -> None:
        self.kind = kind
        self.broker = broker
        self.port = port
        self._connections = connections

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def hub(self) -> Hub:
        return self.broker.hub

    async def client(self) -> Wire:
        return await Wire.welcomed(self.port)

    def queued(self) -> int:
        """Bytes that wait for the client that has most of them."""
        return max((outbox.queued_bytes for outbox in self.hub.delivery.outboxes), default=0)

    async def is_clean(self) -> None:
        """Wait until nothing is left of anybody."""
        delivery = self.hub.delivery
        await eventually(lambda: not self.hub.sessions and not delivery.outboxes and not self._connections)
        assert delivery.router.patterns == 0
        assert len(delivery.catchup) == 0
        assert set(self.hub.states.values()) == {0}


Open = Callable[..., AbstractAsyncContextManager[House]]


@asynccontextmanager
async def fast(**limits: Any) -> AsyncIterator[House]:
    """A `Server`, as people run it."""
    async with Server(Config(port=0, limits=Limits(**limits))) as server:
        assert server._uvicorn is not None
        yield House("fast", server.broker, server.port, server._uvicorn.server_state.connections)


@asynccontextmanager
async def asgi(**limits: Any) -> AsyncIterator[House]:
    """The same application under uvicorn as it comes."""
    broker = Broker(Config(limits=Limits(**limits)))
    async with serving(create_app(broker), ws="websockets-sansio") as (port, server):
        yield House("asgi", broker, port, server.server_state.connections)


KINDS: dict[str, Open] = {"fast": fast, "asgi": asgi}


class _Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """The tests' process keeps its own."""


@asynccontextmanager
async def serving(app: Any, port: int = 0, **options: Any) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """An application under uvicorn, by default on a free port."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, **options)
    server = _Quiet(config)
    task = asyncio.create_task(server._serve([listener]))
    try:
        await eventually(lambda: server.started or task.done())
        yield listener.getsockname()[1], server
    finally:
        server.should_exit = True
        async with asyncio.timeout(PATIENCE):
            await task
