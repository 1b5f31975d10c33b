"""Tasks through RQ on a Redis server. Its workers are of the kind that forks no process for each job: its fastest."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from benchmarks.clients.jobs import nothing
from benchmarks.clients.tasks import Options, measure, options, started
from redis import Redis  # type: ignore[import-not-found, unused-ignore]
from rq import Queue, Worker  # type: ignore[import-not-found, unused-ignore]
from rq.registry import FinishedJobRegistry  # type: ignore[import-not-found, unused-ignore]

__all__ = ["main"]

_AT_ONCE: Final = 100
_WORKER: Final = ("-m", "rq.cli", "worker", "--quiet", "--worker-class", "rq.SimpleWorker")


async def main(wanted: Options) -> None:
    """Enqueue the jobs, a hundred in a message, and wait until all are in the registry of the finished."""
    url = f"redis://127.0.0.1:{wanted.port}"
    connection = Redis.from_url(url)
    queue = Queue("bench", connection=connection)
    finished = FinishedJobRegistry(queue=queue)

    async def ready() -> int:
        return Worker.count(connection=connection)  # type: ignore[no-any-return, unused-ignore]

    async def submit() -> None:
        for first in range(0, wanted.tasks, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, wanted.tasks))
            queue.enqueue_many([Queue.prepare_data(nothing, (number,)) for number in numbers])

    async def done() -> int:
        return finished.count  # type: ignore[no-any-return, unused-ignore]

    workers = started([sys.executable, *_WORKER, "--url", url, "bench"], wanted.workers)
    await measure(wanted, workers, ready, submit, done)


if __name__ == "__main__":
    asyncio.run(main(options()))
