"""The broker as an ASGI application: the WebSocket, plain HTTP, health and metrics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from .broker import Broker
from .config import Config
from .core.ports import Peer
from .metrics import CONTENT_TYPE, render
from .transports.asgi import AsgiConnection
from .transports.handover import EXTENSION
from .transports.origin import Sites
from .transports.upgrade import SUBPROTOCOL, bearer_token
from .web import web_routes
from .web.gate import begun, refusal
from .web.visit import address_of

__all__ = ["create_app", "sites_of"]


def sites_of(config: Config) -> Sites:
    """Which sites may talk to a broker of this configuration."""
    return Sites(bound_host=config.host, allowed_hosts=config.allowed_hosts, allowed_origins=config.allowed_origins)


def create_app(broker: Broker | Config | None = None) -> Starlette:
    """An application that serves a broker; it runs alone, or mounted into another Starlette or FastAPI app.

    Alone it starts and stops the broker with its lifespan. Mounted, where lifespans of inner apps do not run, the
    broker starts with the first request, unless its owner has started it; the owner stops it.
    """
    if not isinstance(broker, Broker):
        broker = Broker(broker)
    endpoints = _Endpoints(broker)
    routes: list[BaseRoute] = [
        WebSocketRoute(broker.config.path, endpoints.websocket),
        Route("/healthz", endpoints.healthz),
        Route("/readyz", endpoints.readyz),
    ]
    if broker.config.metrics:
        routes.append(Route("/metrics", endpoints.metrics))
    routes += web_routes(broker, sites_of(broker.config))
    app = Starlette(routes=routes, lifespan=endpoints.lifespan)
    app.state.broker = broker
    return app


class _Endpoints:
    """What is served, for one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._sites = sites_of(broker.config)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        owns = not self._broker.is_running
        await self._broker.start()
        try:
            yield
        finally:
            if owns:
                self._broker.drain()
                await self._broker.stop()

    # ---- the WebSocket

    async def websocket(self, websocket: WebSocket) -> None:
        """Check where the request comes from, accept, and leave the connection to a session."""
        if (refused := self._refusal(websocket)) is not None:
            self._broker.stats.refused_connections += 1
            await _deny(websocket, refused)
            return
        if not await begun(self._broker):
            await _deny(websocket, PlainTextResponse("The broker is stopped.\n", 503))
            return
        hub = self._broker.hub
        token = bearer_token(websocket.headers.get("authorization"))
        peer = Peer(transport="websocket", address=address_of(websocket), token=token)
        hand_over = websocket.scope.get("extensions", {}).get(EXTENSION)
        if hand_over is not None:
            hand_over(hub, peer)  # it takes effect with the accept
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        if hand_over is None:
            await AsgiConnection(hub, websocket, peer).run()

    def _refusal(self, request: HTTPConnection) -> Response | None:
        sentence = refusal(self._sites, request)
        return None if sentence is None else PlainTextResponse(f"{sentence}\n", 403)

    # ---- health and metrics

    async def healthz(self, request: Request) -> Response:
        """The process answers."""
        return self._refusal(request) or JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """New clients are welcome."""
        if (refused := self._refusal(request)) is not None:
            return refused
        ready = await begun(self._broker) and not self._broker.hub.is_draining
        facts: dict[str, Any] = {"ready": ready}
        if self._broker.is_running:
            hub = self._broker.hub
            # A log of its own is of no use elsewhere; where it is in NATS, another broker may still reach it.
            if ready and hub.engine.remote and hub.engine.trouble is not None:
                ready = False
                facts |= {"ready": False, "reason": "The log in NATS cannot be written just now."}
            facts |= {"name": hub.info.name, "version": hub.info.version, "durability": hub.engine.durability}
            facts |= {"connections": len(hub.sessions), "draining": hub.is_draining}
            facts |= {"writable": hub.engine.trouble is None}
        return Response(orjson.dumps(facts), 200 if ready else 503, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """The counters, in Prometheus' text format."""
        return self._refusal(request) or Response(render(self._broker.stats), media_type=CONTENT_TYPE)


async def _deny(websocket: WebSocket, response: Response) -> None:
    """Refuse before the upgrade, with a reason where the server can send one."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(response)
    else:
        await websocket.close()
