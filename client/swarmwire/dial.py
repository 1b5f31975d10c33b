"""The choice of a transport by the scheme of a URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .connection import Connection
from .errors import ErrorCode, SwarmwireError
from .options import Settings
from .websocket import WebSocketConnection

__all__ = ["connection_for"]

_TRANSPORTS: Final[dict[str, Callable[[Settings], Connection]]] = {
    "ws": lambda settings: WebSocketConnection(settings.url),
    "wss": lambda settings: WebSocketConnection(settings.url, settings.ssl),
}


def connection_for(settings: Settings) -> Connection:
    """A connection, not yet open, of the kind that the URL's scheme names.

    Raises:
        SwarmwireError: INVALID_MESSAGE for a scheme that is not known.
    """
    scheme, separator, _ = settings.url.partition("://")
    make = _TRANSPORTS.get(scheme.lower()) if separator else None
    if make is None:
        known = " or ".join(f"{each}://" for each in _TRANSPORTS)
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            f"Expected a URL that begins with {known}, got {settings.shown_url!r}.",
            field="url",
        )
    return make(settings)
