"""A client of NATS that is not the broker's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import nats
import nats.errors
from nats.aio.client import Client

__all__ = ["connected", "published"]

_PATIENCE = 30.0
_PAUSE = 0.1


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
        connect_timeout=5,
        dont_randomize=True,
    )
    try:
        yield client
    finally:
        await client.close()


async def published(client: Client, subject: str, data: bytes) -> None:
    """Publish until a stream has it; once, however often that takes. Raises TimeoutError."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                await client.jetstream().publish(subject, data, timeout=1, headers={"Nats-Msg-Id": subject})
                return
            except nats.errors.Error:  # there is no leader, or not any more
                await asyncio.sleep(_PAUSE)


async def _silent(_: Exception) -> None:
    """What goes wrong is what the tests look at."""
