"""The ways to reach a broker beside its port: started and stopped together."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from swarmwire_protocol.places import socket_path

from .config import Config
from .core.settings import Limits

if TYPE_CHECKING:
    from .transports.shortcut import House

__all__ = ["Listener", "Listeners"]

log = logging.getLogger("swarmwire.broker.listeners")

_HAS_UNIX = sys.platform != "win32" and hasattr(socket, "AF_UNIX")


class Listener(Protocol):
    """One place where connections are accepted."""

    limits: Limits
    """What bounds its connections; others may be put here while it listens."""

    @property
    def url(self) -> str: ...

    async def start(self) -> None:
        """Listen. Raises OSError with a sentence that says why not."""
        ...

    def stop_listening(self) -> None:
        """Accept no more, and leave nothing behind in the file system. Harmless twice."""
        ...

    async def closed(self) -> None:
        """Let every connection end, and wait until all have."""
        ...

    def abort(self) -> None:
        """Cut every connection."""
        ...


class _Wanted(NamedTuple):
    listener: Listener
    is_asked_for: bool


class Listeners:
    """What a configuration wants to listen at, for one house.

    Attributes:
        urls: where clients of this machine reach those that listen.
    """

    def __init__(self, config: Config, house: House) -> None:
        self._config = config
        self._house = house
        self._open: list[Listener] = []

    @property
    def urls(self) -> list[str]:
        return [listener.url for listener in self._open]

    def bound(self, limits: Limits) -> None:
        """Hold to other limits from now on."""
        for listener in self._open:
            listener.limits = limits

    async def start(self) -> None:
        """Listen everywhere.

        Raises:
            OSError: a place that was asked for by name cannot be used. What is on by default is left out, and logged.
        """
        for listener, is_asked_for in self._wanted():
            try:
                await listener.start()
            except OSError as error:
                if is_asked_for:
                    raise
                log.warning("goes on without %s: %s", listener.url, error.strerror or error)
            else:
                self._open.append(listener)

    def stop_listening(self) -> None:
        """Accept no more. Harmless twice."""
        for listener in self._open:
            listener.stop_listening()

    async def closed(self) -> None:
        """Let every connection end, and wait until all have. Who waits decides for how long."""
        await asyncio.gather(*(listener.closed() for listener in self._open))

    def abort(self) -> None:
        """Cut what is left, and forget it. Harmless twice."""
        self.stop_listening()
        for listener in self._open:
            listener.abort()
        self._open.clear()

    # ---- which

    def _wanted(self) -> list[_Wanted]:
        wanted = []
        if self._config.unix != "off" and (_HAS_UNIX or self._config.unix != "auto"):
            wanted.append(_Wanted(self._unix(), self._config.unix != "auto"))
        if self._config.pipe != "off":
            wanted.append(_Wanted(self._pipe(), True))
        return wanted

    def _unix(self) -> Listener:
        if not _HAS_UNIX:
            raise OSError("there are no Unix sockets on this system: set unix to auto or off")
        from .transports.peercred import Allowed
        from .transports.unixsocket import UnixListener

        config = self._config
        path = socket_path(config.name) if config.unix == "auto" else Path(config.unix).absolute()
        allowed = Allowed(frozenset(config.unix_uids), frozenset(config.unix_gids), frozenset(config.unix_executables))
        return UnixListener(self._house, path, allowed=allowed, limits=config.limits)

    def _pipe(self) -> Listener:
        from .transports.pipes import PipeListener

        name = self._config.name if self._config.pipe == "auto" else self._config.pipe
        return PipeListener(self._house, name, limits=self._config.limits)
