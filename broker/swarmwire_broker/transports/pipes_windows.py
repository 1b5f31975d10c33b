"""Named pipes of Windows, on asyncio's Proactor event loop: for the user who runs the broker, on this machine."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any, Final, cast

from swarmwire_protocol.places import windows_pipe
from swarmwire_protocol.takesbytes import taking_bytes

from ..core.ports import Peer
from ..core.settings import Limits
from .connections import Connections
from .handover import is_one_too_many
from .shortcut import House
from .stream import StreamConnection
from .windowspipe import is_taken, new_instance

__all__ = ["PipeListener"]

log = logging.getLogger("swarmwire.broker.pipes")

_WAITING: Final = 4
"""Instances that wait for clients at once; who finds none free tries again."""

_BREATH: Final = 1.0
"""Seconds until the next try where the system gives us no instance."""


class PipeListener:
    r"""Accepts connections at `\\.\pipe\swarmwire-<name>`.

    The pipe proves nothing of who connects but that it is a process of this user, so a client is anonymous unless it
    brings a token.

    Arguments:
        house: whose sessions the connections become.
        name: the broker's name; `swarmwire_protocol.places` says what may be one.
        limits: they bound the connections: beyond `max_connections` and `max_unauthenticated` together a client is
            let go without a word.

    Raises:
        SwarmwireError: INVALID_MESSAGE for what is no name.
    """

    def __init__(self, house: House, name: str, *, limits: Limits) -> None:
        self.url = f"pipe://{name}"
        self.connections = Connections()
        self._address = windows_pipe(name)
        self._house = house
        self.limits = limits
        self._waiting: list[asyncio.Task[None]] = []

    # ---- life

    async def start(self) -> None:
        """Accept clients from now on.

        Raises:
            OSError: another broker of this name lives, or the event loop knows no named pipes.
        """
        if self._waiting:
            raise RuntimeError("the listener is started already")
        loop: Any = asyncio.get_running_loop()
        if not hasattr(loop, "create_pipe_connection"):
            raise OSError(errno.ENOTSUP, f"cannot listen at {self.url}: the event loop is not asyncio's Proactor loop")
        if is_taken(self._address):
            raise self._taken()
        try:
            # Where two start at once, the system lets only one have the first instance.
            first = new_instance(self._address, is_first=True)
        except PermissionError:
            raise self._taken() from None
        self._waiting = [loop.create_task(self._wait(first))]
        self._waiting += [loop.create_task(self._wait(None)) for _ in range(1, _WAITING)]

    def stop_listening(self) -> None:
        """Accept no more. Harmless twice; the connections stay, and the name is free when the last has ended."""
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            task.cancel()

    async def closed(self) -> None:
        """Let every connection end, and wait until all have. Who waits decides for how long."""
        await self.connections.closed()

    def abort(self) -> None:
        """Cut all connections."""
        self.connections.abort()

    def _taken(self) -> OSError:
        return OSError(errno.EADDRINUSE, f"cannot listen at {self.url}: a living broker has {self._address}")

    # ---- who comes

    async def _wait(self, instance: Any) -> None:
        """Wait for clients, one after the other, each with an instance of its own."""
        loop: Any = asyncio.get_running_loop()
        while True:
            try:
                instance = instance or new_instance(self._address)
                await loop._proactor.accept_pipe(instance)
            except asyncio.CancelledError:
                _close(instance)
                raise
            except BrokenPipeError:
                _close(instance)  # it came and went
            except OSError as error:
                _close(instance)
                log.warning("no client can be accepted at %s for now: %s", self.url, error.strerror)
                await asyncio.sleep(_BREATH)
            else:
                self._admit(loop, instance)
            instance = None

    def _admit(self, loop: Any, instance: Any) -> None:
        if self._house.is_running and not is_one_too_many(len(self.connections) + 1, self.limits):
            loop._make_duplex_pipe_transport(instance, _Door(self), extra={"addr": self._address})
        else:
            _close(instance)

    def connected(self, transport: asyncio.Transport) -> None:
        """Make a connection of an accepted client."""
        if not self._house.is_running:
            transport.abort()
            return
        peer = Peer(transport="pipe", address=self.url)
        connection = StreamConnection(self._house, transport, peer, self.connections)
        transport.set_protocol(cast(asyncio.Protocol, taking_bytes(connection)))


class _Door(asyncio.Protocol):
    """What a pipe speaks to until it has its connection."""

    def __init__(self, listener: PipeListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.connected(cast(asyncio.Transport, transport))


def _close(instance: Any) -> None:
    if instance is not None:
        instance.close()
