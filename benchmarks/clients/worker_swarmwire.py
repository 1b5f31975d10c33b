"""A worker of the bench: `python -m benchmarks.clients.worker_swarmwire URL TOKENS`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from benchmarks.clients.jobs import nothing

from swarmwire import Worker, connect

__all__ = ["main"]

worker = Worker(queues=["bench"])


@worker.task("nothing")
async def number_of(task: Any) -> int:
    """Do nothing."""
    return nothing(task.payload["number"])


async def main(url: str, token: str) -> None:
    """Work, one task at a time, until it is told to end."""
    async with connect(url, token=token) as client:
        await worker.run(client)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8").partition("\n")[0]))
