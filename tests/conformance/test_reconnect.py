"""The SDK's client itself, over every transport that it has: through restarts of the broker, one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from swarmwire import Client, connect

from .table import over
from .talk import PATIENCE
from .ways import WAYS, Place


@over("reconnect")
async def test_reconnect(way: str, tmp_path: Path) -> None:
    place, serve = Place(tmp_path / "data"), WAYS[way].serve
    found: list[Any] = []
    async with serve(place, reconnect_window_ms=0) as house:
        assert house.url is not None
        url = house.url
        client = await connect(url, base_delay=0.01, max_delay=0.05)
        other = await connect(url, base_delay=0.01, max_delay=0.05)
        events = await client.subscribe("n")
        await other.publish("n", 0)
        found += await _data(events, 1)
    for restart in range(1, 4):
        waiting = [asyncio.ensure_future(other.publish("n", 10 * restart + step)) for step in range(3)]
        async with serve(place, reconnect_window_ms=0):
            async with asyncio.timeout(PATIENCE):
                places = [(await each).seq for each in waiting]
            found += await _data(events, 3)
            assert places == list(range(3 * restart - 1, 3 * restart + 2))
            assert await _answers(client)
            if restart == 3:
                await events.unsubscribe()
                await client.disconnect()
                await other.disconnect()
    assert found == [0, 10, 11, 12, 20, 21, 22, 30, 31, 32]


async def _data(events: Any, count: int) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        return [(await anext(events)).data for _ in range(count)]


async def _answers(client: Client) -> bool:
    async with asyncio.timeout(PATIENCE):
        return await client.ping() >= 0
