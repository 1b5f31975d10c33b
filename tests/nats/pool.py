"""The servers that tests share: one of a version for a whole run. Each test has streams of its own (`new_space`)."""

from __future__ import annotations

from .servers import NatsServer, Version

__all__ = ["close_shared", "shared"]

_servers: dict[Version, NatsServer] = {}


def shared(version: Version = Version.NEWEST) -> NatsServer:
    """The one of this version, which is started when it is asked for first. Nobody ends, pauses or configures it."""
    if version not in _servers:
        server = NatsServer(version)
        server.start_now()
        _servers[version] = server
    return _servers[version]


def close_shared() -> None:
    """End them all. Harmless twice."""
    while _servers:
        _servers.popitem()[1].close()
