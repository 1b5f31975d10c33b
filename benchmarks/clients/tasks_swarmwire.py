"""Tasks through Swarmwire and its own workers."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from benchmarks.clients.tasks import Options, measure, options, started

from swarmwire import connect

__all__ = ["main"]

_AT_ONCE: Final = 100
_WORKER: Final = ("-m", "benchmarks.clients.worker_swarmwire")


async def main(wanted: Options) -> None:
    """Submit the tasks, a hundred under way at any time, and wait until all are counted as completed."""
    url = f"ws://127.0.0.1:{wanted.port}/ws"
    async with connect(url, token=wanted.token) as client:

        async def ready() -> int:
            return int((await client.call("worker.status"))["total"])

        async def submit() -> None:
            numbers = iter(range(wanted.tasks))

            async def some() -> None:
                for number in numbers:
                    await client.tasks.submit("nothing", {"number": number}, queue="bench")

            await asyncio.gather(*(some() for _ in range(_AT_ONCE)))

        async def done() -> int:
            return int((await client.call("queue.status", {"queue": "bench"}))["completed"])

        command = [sys.executable, *_WORKER, url, str(wanted.tokens)]
        await measure(wanted, started(command, wanted.workers), ready, submit, done)


if __name__ == "__main__":
    asyncio.run(main(options()))
