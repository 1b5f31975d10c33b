"""A broker for each case: started for it, and clean behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest_asyncio
import uvloop

from .ways import WAYS, House, Place


@pytest_asyncio.fixture
async def house(way: str) -> AsyncIterator[House]:
    """A broker that is reached in this way, of which the test leaves nothing behind."""
    async with WAYS[way].serve(Place(), max_message_bytes=100_000, close_timeout_ms=200) as made:
        yield made
        await made.is_clean()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that `swarmwire serve` runs on; the transports' own tests run on both."""
    return {"uvloop": uvloop.new_event_loop}
