"""The code swarm of the example beside this one, over the same directory again and again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .kept import Kept

__all__ = ["read_code"]

SCRIPT = Path(__file__).resolve().parents[1] / "code_swarm.py"
WORKERS = 3
DELAY_MS = 400
"""How much longer each file takes, so that it can be watched."""

PAUSE_SECONDS = 5.0


async def read_code(url: str, directory: Path) -> None:
    """Run it for ever. What it finds is seen on the dashboard: each file is a task, each worker an agent."""
    command = (sys.executable, str(SCRIPT), str(directory), "--url", url)
    while True:
        async with Kept(*command, "--workers", str(WORKERS), "--delay-ms", str(DELAY_MS)) as run:
            await run.last_words()
        await asyncio.sleep(PAUSE_SECONDS)
