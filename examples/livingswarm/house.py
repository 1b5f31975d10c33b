"""The broker of the demo, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from .kept import Kept

__all__ = ["NoBroker", "Place", "broker", "mind"]

USUAL_PORT = 8765

OUTBOX_BYTES = 65_536
"""What the broker keeps for one client; little, so that the slow reader is soon seen to catch up from the log."""


class NoBroker(Exception):
    """The broker has not started, or has ended; its text says why."""


class Place(Struct, frozen=True):
    """The broker's addresses, and its process."""

    websocket: str
    http: str
    unix: str | None
    process: Kept

    @property
    def dashboard(self) -> str:
        """What to open in a browser."""
        return f"{self.http}/"


@asynccontextmanager
async def broker(port: int | None) -> AsyncIterator[Place]:
    """Run a broker for as long as the block; port None is the usual one or, where that is taken, any.

    Raises:
        NoBroker: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as directory:
        unix = str(Path(directory) / "swarm.sock") if hasattr(socket, "AF_UNIX") and sys.platform != "win32" else "off"
        chosen = _usual_or_any() if port is None else port
        flags = ("--port", str(chosen), "--unix", unix, "--name", "living-swarm", "--log-format", "json")
        limits = ("--set", f"limits.outbox_bytes={OUTBOX_BYTES}")
        async with Kept(sys.executable, "-m", "swarmwire_broker", "serve", *flags, *limits) as process:
            urls = await _listening(process)
            web = next(url for url in urls if url.startswith("ws"))
            http = next(url for url in urls if url.startswith("http"))
            yield Place(web, http, next((url for url in urls if url.startswith("unix")), None), process)


async def mind(place: Place) -> NoReturn:
    """Read on what the broker says, so that it never waits for a reader.

    Raises:
        NoBroker: it has ended.
    """
    last = "without a word"
    while (line := await place.process.line()) is not None:
        last = line
    raise NoBroker(f"the broker has ended: {last}")


async def _listening(process: Kept) -> list[str]:
    """Where the broker says that it listens."""
    last = "it said nothing"
    while (line := await process.line()) is not None:
        last = line
        with contextlib.suppress(ValueError):
            match json.loads(line):
                case {"event": "listening", "urls": [*urls]}:
                    return [str(url) for url in urls]
    raise NoBroker(f"the broker has not started: {last}")


def _usual_or_any() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return 0
        return USUAL_PORT
