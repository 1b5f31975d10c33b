"""Files for browsers: the dashboard at /, and the JavaScript SDK below /sdk/. They are no secret, and need no login."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from .gate import Gate
from .visit import PRINTABLE

__all__ = ["POLICY", "asset_routes", "directory"]

log = logging.getLogger("swarmwire.broker.web")

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy of every page and worker: nothing from elsewhere, nothing inline, nobody's frame."""

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; by this table, since that of the system may call a module plain text."""

_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # asked for again each time, and answered by 304 where it is the same
    "vary": "Origin",
}
_PACKAGE: Final = Path(__file__).parents[1]
_IN_CHECKOUT: Final = {"dashboard": "broker/dashboard", "sdk": "client/js/src"}


def directory(name: str) -> Path | None:
    """Where the files of `dashboard` or `sdk` are: in the installed package, or in the checkout that it runs from."""
    for path in (_PACKAGE / "static" / name, _PACKAGE.parents[1] / _IN_CHECKOUT[name]):
        if path.is_dir():
            return path
    return None


def asset_routes(gate: Gate) -> list[BaseRoute]:
    """The routes of the dashboard and the SDK; those whose files are not installed are left out."""
    found = {name: path for name in _IN_CHECKOUT if (path := directory(name)) is not None}
    if missing := _IN_CHECKOUT.keys() - found.keys():
        log.warning("files for browsers are not installed", extra={"missing": sorted(missing)})
    routes: list[BaseRoute] = []
    if "dashboard" in found:
        routes.append(Route("/", _Page(found["dashboard"], gate)))
        routes += [Route("/dashboard", _to("./")), Route("/dashboard/", _to("../"))]
    return routes + [Mount(f"/{name}", _Assets(path, gate)) for name, path in found.items()]


class _Assets(StaticFiles):
    """The files of a directory, for pages of the sites that may talk to the broker."""

    def __init__(self, root: Path, gate: Gate) -> None:
        super().__init__(directory=root)
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if (sentence := self._gate.refusal(request)) is not None:
            response: Response = PlainTextResponse(f"{sentence}\n", 403)
        else:
            response = await self._found(scope)
            response.headers.update(_HEADERS)
            _let_read(request, response.headers)
        await self._gate.deliver(response, scope, receive, send)

    def path_of(self, scope: Scope) -> str:
        return self.get_path(scope)

    async def _found(self, scope: Scope) -> Response:
        path = self.path_of(scope)
        if os.path.splitext(path)[1] not in _TYPES:
            return PlainTextResponse("There is no such file.\n", 404)
        try:
            return await self.get_response(path, scope)
        except HTTPException as error:
            return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)

    def file_response(self, full_path: str | os.PathLike[str], *args: object, **kwargs: object) -> Response:
        response = super().file_response(full_path, *args, **kwargs)  # type: ignore[arg-type]
        response.headers["content-type"] = _TYPES[os.path.splitext(full_path)[1]]
        return response


class _Page(_Assets):
    """The page that a browser opens first."""

    def path_of(self, scope: Scope) -> str:
        return "index.html"


def _let_read(request: Request, headers: MutableHeaders) -> None:
    """A page of an allowed site may import the SDK."""
    origin = request.headers.get("origin")
    if origin is not None and re.fullmatch(PRINTABLE, origin):
        headers["access-control-allow-origin"] = origin


def _to(place: str) -> Response:
    return RedirectResponse(place)
