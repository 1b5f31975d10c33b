"""Before a handler is asked: where a request comes from, what it may ask for, and whether there is a broker."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..broker import Broker
from ..transports.origin import FOREIGN_PAGE, Sites
from .errors import ClientGone, HttpError, answer_error
from .visit import INSTANCE, PRINTABLE, Visit, cut

__all__ = ["Endpoint", "Gate", "Handler", "begun", "refusal"]

log = logging.getLogger("swarmwire.broker.web")

Handler = Callable[[Visit], Awaitable[Response | None]]
"""Answers a request; None where it has sent its answer itself."""

_ALLOWED_HEADERS: Final = f"Authorization, Content-Type, Idempotency-Key, Last-Event-ID, {INSTANCE}"
_PREFLIGHT_AGE: Final = "600"


def refusal(sites: Sites, request: HTTPConnection) -> str | None:
    """Why a request is not answered: the sites it may come from are the broker's own and those allowed."""
    hosts, origins = request.headers.getlist("host"), request.headers.getlist("origin")
    host = hosts[0] if len(hosts) == 1 else None
    sentence = sites.refusal(host, origins[0] if origins else None, request.scope.get("scheme", "http"))
    return FOREIGN_PAGE if sentence is None and len(origins) > 1 else sentence


async def begun(broker: Broker) -> bool:
    """Whether the broker runs; one that nobody has started yet is started. One that was stopped stays stopped."""
    if not broker.is_stopped:
        await broker.start()
    return broker.is_running


class Gate:
    """What is checked of every request, for one broker."""

    def __init__(self, broker: Broker, sites: Sites) -> None:
        self._broker = broker
        self._sites = sites

    def refusal(self, request: Request) -> str | None:
        return refusal(self._sites, request)

    async def visit(self, request: Request, send: Send) -> Visit:
        """Let a request in.

        Raises:
            SwarmwireError: UNAVAILABLE.
        """
        if not await begun(self._broker):
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "The broker is stopped.")
        return Visit(request, self._broker.hub, send)

    async def deliver(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a client that does not take it in time is cut off."""
        try:
            async with asyncio.timeout(self._broker.config.limits.request_timeout_ms / 1000):
                await response(scope, receive, send)
        except TimeoutError:
            log.info("a client does not take its answer", extra={"path": scope["path"]})
            await cut(Request(scope, receive))


class Endpoint:
    """An ASGI application for one route: a handler for each method it has."""

    def __init__(self, gate: Gate, handlers: dict[str, Handler]) -> None:
        self._gate = gate
        self._handlers = handlers
        self._methods = ", ".join([*handlers, "OPTIONS"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if (sentence := self._gate.refusal(request)) is not None:
            response: Response | None = answer_error(HttpError(403, ErrorCode.PERMISSION_DENIED, sentence))
        else:
            send = _with_headers(send, _cors(request))
            response = await self._answer(request, send)
        if response is not None:
            await self._gate.deliver(response, scope, receive, send)

    async def _answer(self, request: Request, send: Send) -> Response | None:
        if request.method == "OPTIONS":
            return self._preflight(request)
        try:
            handler = self._handlers.get(request.method)
            if handler is None:
                raise self._no_method()
            return await handler(await self._gate.visit(request, send))
        except SwarmwireError as error:
            return answer_error(error)
        except ClientGone:
            return None
        except Exception as error:
            log.error("a request could not be handled", exc_info=error, extra={"path": request.scope["path"]})
            return answer_error(SwarmwireError(ErrorCode.INTERNAL_ERROR))

    def _no_method(self) -> HttpError:
        if not self._handlers:
            return HttpError(404, ErrorCode.NOT_FOUND, "There is no such route.")
        allow = {"Allow": self._methods}
        return HttpError(405, ErrorCode.INVALID_MESSAGE, f"Expected one of {self._methods}.", headers=allow)

    def _preflight(self, request: Request) -> Response:
        headers = {"Allow": self._methods}
        if "origin" in request.headers and "access-control-request-method" in request.headers:
            headers["Access-Control-Allow-Methods"] = self._methods
            headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
            headers["Access-Control-Max-Age"] = _PREFLIGHT_AGE
        return Response(status_code=204, headers=headers)


def _cors(request: Request) -> list[tuple[bytes, bytes]]:
    """What lets a page of an allowed site read the answer."""
    headers = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), (b"vary", b"Origin")]
    origin = request.headers.get("origin")
    if origin is not None and re.fullmatch(PRINTABLE, origin):
        headers.append((b"access-control-allow-origin", origin.encode()))
        headers.append((b"access-control-expose-headers", b"Retry-After"))
    return headers


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]  # type: ignore[misc]
        await send(message)

    return sending  # type: ignore[return-value]
