"""The listener at a Unix socket: who may connect is known before a word is said."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote

from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError

from ..core.ports import Peer
from ..core.settings import Limits
from .connections import Connections
from .handover import is_one_too_many
from .peercred import Allowed, credentials_of
from .socketfile import SocketFile
from .stream import StreamConnection

if TYPE_CHECKING:
    from .shortcut import House

__all__ = ["UnixListener"]

_BACKLOG: Final = 2_048


class UnixListener:
    """Accepts connections at a path, whose file is 0600 unless `allowed` names other users.

    `max_connections` and `max_unauthenticated` together are the sockets open at once; one more is cut. A process
    that is not allowed gets one line, the error PERMISSION_DENIED.

    Attributes:
        connections: those that are open.
    """

    def __init__(self, house: House, path: Path, *, allowed: Allowed | None = None, limits: Limits) -> None:
        self._house = house
        self._path = path
        self._allowed = allowed or Allowed()
        self.limits = limits
        self._file = SocketFile(path, shared=self._allowed.has_others)
        self._server: asyncio.AbstractServer | None = None
        self.connections = Connections()

    @property
    def url(self) -> str:
        """Where clients of this machine reach it."""
        return f"unix://{quote(str(self._path))}"

    async def start(self) -> None:
        """Listen. Returns when connections are accepted.

        Raises:
            OSError: somebody listens there, or the path cannot be used; the sentence says why.
            RuntimeError: it listens already.
        """
        if self._server is not None:
            raise RuntimeError("the listener is started already")
        bound = self._file.bind()
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(lambda: _Door(self), sock=bound, backlog=_BACKLOG)
        except BaseException:
            bound.close()
            self._file.remove()
            raise

    def stop_listening(self) -> None:
        """Accept no more, and take the file away. Harmless twice."""
        server, self._server = self._server, None
        self._file.remove()
        if server is not None:
            server.close()

    async def closed(self) -> None:
        """Let every connection end, and wait until all have. Who waits decides for how long."""
        await self.connections.closed()

    def abort(self) -> None:
        """Cut every connection."""
        self.connections.abort()

    def admit(self, transport: asyncio.Transport) -> None:
        """Take a connection that was accepted, or end it."""
        if not self._house.is_running or is_one_too_many(len(self.connections) + 1, self.limits):
            transport.abort()
            return
        try:
            who = credentials_of(transport.get_extra_info("socket"))
        except OSError:  # it is gone already
            transport.abort()
            return
        peer = Peer(transport="unix", address=who.subject, subject=who.subject, pid=who.pid or None)
        connection = StreamConnection(self._house, transport, peer, self.connections)
        transport.set_protocol(cast(asyncio.Protocol, connection))
        if not self._allowed.permits(who):
            sentence = "This user, or this program, may not connect here."
            connection.refuse(SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence), CloseCode.UNAUTHORIZED)


class _Door(asyncio.Protocol):
    """What a socket speaks to until it is known whose it is."""

    def __init__(self, listener: UnixListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.admit(cast(asyncio.Transport, transport))
