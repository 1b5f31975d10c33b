"""Where clients meet: a bus in memory, or a real broker, of which a test should see the same."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from swarmwire import Client, MemoryBus, connect
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server

__all__ = ["KEPT", "PATIENCE", "House", "data", "house", "take"]

PATIENCE = 5.0
KEPT = 50
"""Events that each of the two keeps, so that few are enough to let one go."""

_names = (f"test-{number}" for number in itertools.count(1))


class House:
    """Where clients meet: a bus in memory, or a real broker."""

    def __init__(self, url: str, client: Client) -> None:
        self.url = url
        self.client = client


@pytest_asyncio.fixture(params=["memory", "broker"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    if request.param == "memory":
        async with MemoryBus(next(_names), max_events=KEPT) as bus:
            yield House(bus.url, bus)
        return
    config = Config(port=0, unix="off", limits=Limits(log_events=KEPT))
    async with Server(config) as server, connect(server.url) as client:
        yield House(server.url, client)


async def take(stream: Any, count: int) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(stream) for _ in range(count)]


async def data(stream: Any, count: int) -> list[Any]:
    return [each.data for each in await take(stream, count)]
