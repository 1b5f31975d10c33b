"""Awaited publishes to a JetStream stream in files, through nats-py."""

from __future__ import annotations

import asyncio

import nats  # type: ignore[import-not-found, unused-ignore]
from benchmarks.clients.awaited import Options, measure, options
from nats.js.api import StorageType, StreamConfig  # type: ignore[import-not-found, unused-ignore]

__all__ = ["main"]


async def main(wanted: Options) -> None:
    """Publish on one subject; every publish is answered by its stream."""
    client = await nats.connect(f"nats://127.0.0.1:{wanted.port}")
    try:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="bench", subjects=["bench.>"], storage=StorageType.FILE))
        await measure(lambda payload: stream.publish("bench.awaited", payload), wanted)
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main(options()))
