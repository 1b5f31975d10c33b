"""Awaited publishes through Swarmwire's own client."""

from __future__ import annotations

import asyncio
import json
from functools import cache

from benchmarks.clients.awaited import Options, options, publish_awaited

from swarmwire import connect

__all__ = ["main"]


async def main(wanted: Options) -> None:
    """Publish on one topic; every publish is acknowledged once it is stored."""
    data_of = cache(json.loads)  # a program has its data as objects; that they become JSON is the client's work
    async with connect(f"ws://127.0.0.1:{wanted.port}/ws", token=wanted.token) as client:
        await publish_awaited(lambda payload: client.publish("bench.awaited", data_of(payload)), wanted)


if __name__ == "__main__":
    asyncio.run(main(options()))
