"""What tests of services stand on: engines of both kinds, and sessions with a clock that a test moves."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from swarmwire_broker.engines.base import Engine
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_broker.engines.sqlite import SqliteEngine

__all__ = ["NOW", "opened"]

NOW = 1_790_000_000_000
"""The time of day of these engines, in milliseconds since 1970."""


@asynccontextmanager
async def opened(directory: Path | None = None) -> AsyncGenerator[Engine, None]:
    """An engine that is started: in memory, or a durable one in a directory."""
    engine: Engine
    engine = MemoryEngine(now_ms=lambda: NOW) if directory is None else SqliteEngine(directory, now_ms=lambda: NOW)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
