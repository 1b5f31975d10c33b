"""Calls through Swarmwire, answered by a handler in this process by a connection of its own."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

from benchmarks.clients.awaited import Options, measure, options

from swarmwire import connect

__all__ = ["main"]


async def main(wanted: Options) -> None:
    """Ask for what was sent, and get it back."""
    data_of = cache(json.loads)
    async with connect(wanted.url, token=wanted.token) as caller, connect(wanted.url, token=wanted.token) as handler:

        @handler.handler("bench.echo")
        async def echo(params: Any) -> Any:
            return params

        await echo
        await measure(lambda payload: caller.call("bench.echo", data_of(payload)), wanted)


if __name__ == "__main__":
    asyncio.run(main(options()))
