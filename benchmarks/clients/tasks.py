"""Tasks through a queue: submitted here, done by workers in processes of their own, until all have ended."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.clients.awaited import cpu_of

__all__ = ["ROOT", "Options", "measure", "options", "started"]

ROOT: Final = Path(__file__).resolve().parents[2]
_LOOK: Final = 0.005


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    port: int
    pid: int
    tokens: Path
    workers: int
    tasks: int

    @property
    def token(self) -> str:
        """A token to log in with."""
        return self.tokens.read_text(encoding="utf-8").partition("\n")[0]


def options() -> Options:
    """Read the command line. How long to go on is not asked: until all is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("port", int), ("pid", int), ("tokens", Path), ("workers", int), ("tasks", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    known, _ = parser.parse_known_args()
    return Options(**vars(known))


def started(command: list[str], count: int) -> list[subprocess.Popen[bytes]]:
    """So many processes of a command."""
    return [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(count)]


async def measure(
    wanted: Options,
    workers: list[subprocess.Popen[bytes]],
    ready: Callable[[], Awaitable[int]],
    submit: Callable[[], Awaitable[None]],
    done: Callable[[], Awaitable[int]],
) -> None:
    """Submit once all workers are ready, wait until all is done, and write what it took, as a line of JSON."""
    try:
        await _counted(ready, wanted.workers)
        start, server = time.perf_counter(), cpu_of(wanted.pid)
        await submit()
        await _counted(done, wanted.tasks)
        seconds, used = time.perf_counter() - start, cpu_of(wanted.pid) - server
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
    figures = {
        "seconds": seconds,
        "delivery_rate": wanted.tasks / seconds,
        "cpu_us_per_delivery": used * 1e6 / wanted.tasks,
        "server_busy": used / seconds,
    }
    print(json.dumps(figures))


async def _counted(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Look again and again: a queue on Redis tells nobody when a job has ended."""
    while True:
        if await count() >= wanted:
            return
        await asyncio.sleep(_LOOK)
