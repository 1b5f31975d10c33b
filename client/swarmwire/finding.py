"""Where a broker of this machine is looked for when nobody says where it is."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from swarmwire_protocol.places import fifo_directory, socket_path

__all__ = ["DEFAULT_URL", "is_ours", "places"]

DEFAULT_URL: Final = "ws://127.0.0.1:8765/ws"
"""Where a broker listens that was started without saying where."""


if sys.platform == "win32":

    def _local(name: str) -> Iterator[str]:
        yield f"pipe://{name}"

else:

    def _local(name: str) -> Iterator[str]:
        socket, pipe = socket_path(name), fifo_directory(name)
        if not is_ours(socket.parent):
            return
        if socket.exists():
            yield f"unix://{quote(str(socket))}"
        if pipe.exists():
            yield f"pipe://{name}"


def places(name: str) -> Iterator[str]:
    """The URLs at which a broker of this name may be, the best first: its Unix socket, its pipe, the usual port.

    A socket or pipe in a directory that others can write to is passed over: it could be anyone's.
    """
    yield from _local(name)
    yield DEFAULT_URL


def is_ours(directory: Path) -> bool:
    """Whether nobody but this user (and root) can put something into this directory."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    owner = getattr(os, "getuid", None)  # Windows has none, and a runtime directory for each user
    mine = owner is None or (found.st_uid in (owner(), 0) and not found.st_mode & 0o022)
    return mine and stat.S_ISDIR(found.st_mode)
