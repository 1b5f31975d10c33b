"""Workers beside the agents: programs of the SDK's `Worker`, which the broker counts and can scale."""

from __future__ import annotations

import asyncio
import random

from swarmwire import ClaimedTask, Worker, connect

__all__ = ["QUEUE", "TYPE", "work"]

QUEUE, TYPE = "indexing", "index"

STEPS = 5
STEP_SECONDS = (0.2, 1.2)


async def work(url: str, name: str) -> None:
    """Be a worker, for ever."""
    worker = Worker(queues=[QUEUE], concurrency=2)

    @worker.task(TYPE)
    async def index(task: ClaimedTask) -> dict[str, int]:
        for step in range(STEPS):
            await task.progress(100 * step // STEPS, f"part {step + 1} of {STEPS}")
            await asyncio.sleep(random.uniform(*STEP_SECONDS))
        return {"entries": random.randrange(100, 1000)}

    async with connect(url, name=name) as client:
        await worker.run(client)
