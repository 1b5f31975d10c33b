"""A client of NATS that is not the broker's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client

__all__ = ["connected"]


@asynccontextmanager
async def connected(servers: Sequence[str], *, name: str = "witness") -> AsyncIterator[Client]:
    """Connect to the first of these servers that can be reached, and to another when it goes."""
    client = await nats.connect(
        list(servers),
        name=name,
        error_cb=_silent,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,
        ping_interval=1,
        connect_timeout=1,
        dont_randomize=True,
    )
    try:
        yield client
    finally:
        await client.close()


async def _silent(_: Exception) -> None:
    """What goes wrong is what the tests look at."""
