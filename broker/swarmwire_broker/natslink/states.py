"""In which state a link to NATS is."""

from __future__ import annotations

from enum import Enum

__all__ = ["LinkState"]


class LinkState(Enum):
    """The life of a link. Before every new CONNECTED there is a RECONNECTING, and then what was in flight is lost.

    LEAVING: the server is about to stop, and another one is ready. All works for a moment more (`Link` says how long)
    so that answers to what is in flight can come; who wants to hear what becomes of it sends nothing new until the
    next CONNECTED.
    """

    NEW = "new"
    CONNECTED = "connected"
    LEAVING = "leaving"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"
