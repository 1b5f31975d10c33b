"""The publisher of `load` as a process beside a test."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from .brokers import Broker
from .load import Reached

__all__ = ["load"]

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def load(broker: Broker, **options: object) -> AsyncIterator[list[Reached]]:
    """The publisher, running; what it has reached is told in the list when the block is left."""
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.dashboard.load", "--url", broker.url, *flags), cwd=ROOT, stdout=PIPE
    )
    reached: list[Reached] = []
    try:
        yield reached
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        out, _ = await process.communicate()
        reached += [msgspec.json.decode(line, type=Reached) for line in out.splitlines()]
