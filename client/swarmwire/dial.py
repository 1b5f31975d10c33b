"""The choice of a transport by the scheme of a URL."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import unquote

from swarmwire_protocol.places import check_name

from .connection import Connection
from .errors import ErrorCode, SwarmwireError
from .options import Settings
from .stream import StreamConnection
from .unixsocket import open_socket
from .websocket import WebSocketConnection

__all__ = ["connection_for"]


def _web_socket(settings: Settings, url: str) -> Connection:
    return WebSocketConnection(url, settings.ssl)


def _unix_socket(settings: Settings, url: str) -> Connection:
    host, slash, path = url.partition("://")[2].partition("/")
    if host or not path:
        raise _bad_url("like unix:///run/user/1000/swarmwire/swarmwire.sock", settings)
    return StreamConnection(partial(open_socket, slash + unquote(path)))


def _pipe(settings: Settings, url: str) -> Connection:
    from .pipes import open_pipe

    try:
        name = check_name(url.partition("://")[2])
    except SwarmwireError:
        raise _bad_url("like pipe://swarmwire, with the name of a broker", settings) from None
    return StreamConnection(partial(open_pipe, name))


def _http(settings: Settings, url: str) -> Connection:
    from .httpconnection import HttpConnection

    return HttpConnection(url, settings.ssl)


def _memory(settings: Settings, url: str) -> Connection:
    from .memory.connection import MemoryConnection

    return MemoryConnection(url.partition("://")[2])


_TRANSPORTS: Final[dict[str, Callable[[Settings, str], Connection]]] = {
    "ws": _web_socket,
    "wss": _web_socket,
    "unix": _unix_socket,
    "pipe": _pipe,
    "http": _http,
    "https": _http,
}
_WITHIN: Final[dict[str, Callable[[Settings, str], Connection]]] = {"memory": _memory}
"""What does not lead out of the process, and is no advice to who has mistyped a URL."""


def connection_for(settings: Settings, url: str | None = None) -> Connection:
    """A connection, not yet open, of the kind that the scheme of the URL (by default that of `settings`) names.

    Raises:
        SwarmwireError: INVALID_MESSAGE for a scheme that is not known, and for a URL that is none of its scheme.
    """
    url = settings.url or "" if url is None else url
    scheme, separator, _ = url.partition("://")
    make = (_TRANSPORTS | _WITHIN).get(scheme.lower()) if separator else None
    if make is None:
        *most, last = (f"{each}://" for each in _TRANSPORTS)
        raise _bad_url(f"that begins with {', '.join(most)} or {last}", settings)
    return make(settings, url)


def _bad_url(expected: str, settings: Settings) -> SwarmwireError:
    return SwarmwireError(
        ErrorCode.INVALID_MESSAGE, f"Expected a URL {expected}, got {settings.shown_url!r}.", field="url"
    )
