"""Requests through nats-server, answered by a subscriber in this process by a connection of its own, with nats-py."""

from __future__ import annotations

import asyncio
from typing import Any

import nats  # type: ignore[import-not-found, unused-ignore]
from benchmarks.clients.awaited import Options, measure, options

__all__ = ["main"]


async def main(wanted: Options) -> None:
    """Ask for what was sent, and get it back."""
    url = f"nats://127.0.0.1:{wanted.port}"
    caller, handler = await nats.connect(url), await nats.connect(url)

    async def echo(message: Any) -> None:
        await message.respond(message.data)

    try:
        await handler.subscribe("bench.echo", cb=echo)
        await handler.flush()
        await measure(lambda payload: caller.request("bench.echo", payload, timeout=10), wanted)
    finally:
        await caller.close()
        await handler.close()


if __name__ == "__main__":
    asyncio.run(main(options()))
