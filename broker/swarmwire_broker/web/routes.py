"""Which path leads to which handler."""

from __future__ import annotations

from typing import Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..broker import Broker
from ..transports.origin import Sites
from .assets import asset_routes
from .calling import call
from .errors import json
from .events import events
from .gate import Endpoint, Gate, Handler
from .history import history
from .openapi import openapi
from .publishing import publish
from .visit import Visit

__all__ = ["HANDLERS", "web_routes"]


class _Rest(Convertor[str]):
    """All that a path goes on with. Starlette's own `path` ends at a line end, and leaves such a path to nobody."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("swarmwire_rest", _Rest())


async def _hello(visit: Visit) -> Response:
    """Answer with the welcome."""
    async with visit.session():
        return json(visit.welcome)


HANDLERS: Final[dict[str, dict[str, Handler]]] = {
    "/v1/hello": {"GET": _hello},
    "/v1/publish": {"POST": publish},
    "/v1/events": {"GET": events},
    "/v1/history": {"GET": history},
    "/v1/call/{method:swarmwire_rest}": {"POST": call},
    "/v1/openapi.json": {"GET": openapi},
    "/v1/{rest:swarmwire_rest}": {},
}
"""The handlers of each path by their methods; a path without any is none."""


def web_routes(broker: Broker, sites: Sites) -> list[BaseRoute]:
    """The routes of a broker below /v1, and those of files for browsers where they are wanted."""
    gate = Gate(broker, sites)
    routes: list[BaseRoute] = [Route(path, Endpoint(gate, handlers)) for path, handlers in HANDLERS.items()]
    return routes + asset_routes(gate) if broker.config.dashboard else routes
