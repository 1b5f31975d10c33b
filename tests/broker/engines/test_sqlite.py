"""The durable engine: the conformance suite, and what is its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Engine
from swarmwire_broker.engines.sqlite import SqliteEngine

from .conformance import EngineConformance
from .rig import SettableClock

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the file is in most tests: that the disk is waited for costs time and is not what they are about."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does by itself."""
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def sqlite_engine(directory: Path, clock: SettableClock, limits: Limits | None = None, **more: Any) -> SqliteEngine:
    """An engine in a directory, with the limits of a broker; not started."""
    limits = limits or Limits()
    return SqliteEngine(
        directory,
        now_ms=clock,
        steady_ms=clock.steady_ms,
        log_events=limits.log_events,
        log_bytes=limits.log_bytes,
        log_age_ms=limits.log_age_ms,
        latest_topics=limits.latest_topics,
        latest_bytes=limits.latest_bytes,
        dedupe_ms=limits.dedupe_ms,
        dedupe_keys=limits.dedupe_keys,
        dedupe_keys_per_subject=limits.dedupe_keys_per_subject,
        **more,
    )


@asynccontextmanager
async def open_sqlite(limits: Limits, clock: SettableClock) -> AsyncIterator[Engine]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        engine = sqlite_engine(Path(directory), clock, limits)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()


class TestSqlite(EngineConformance):
    open_engine = staticmethod(open_sqlite)
