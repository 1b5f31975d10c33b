"""Awaited publishes through Swarmwire's own client."""

from __future__ import annotations

import asyncio
import json
from functools import cache

from benchmarks.clients.awaited import Options, measure, options

from swarmwire import connect

__all__ = ["main"]


async def main(wanted: Options) -> None:
    """Publish on one topic; every publish is acknowledged once it is stored."""
    data_of = cache(json.loads)  # a program has its data as objects; that they become JSON is the client's work
    async with connect(wanted.url, token=wanted.token) as client:
        await measure(lambda payload: client.publish("bench.awaited", data_of(payload)), wanted)


if __name__ == "__main__":
    asyncio.run(main(options()))
