"""The engine that stands for a log elsewhere is one: it passes the suite of all engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from swarmwire_broker.clock import LoopClock
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Engine

from ..engines.conformance import EngineConformance
from ..engines.rig import SettableClock
from .fakes import RemoteEngine


@asynccontextmanager
async def open_remote(limits: Limits, clock: SettableClock) -> AsyncIterator[Engine]:
    engine = RemoteEngine(
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
    )
    engine.clock = LoopClock()
    yield engine


class TestRemote(EngineConformance):
    open_engine = staticmethod(open_remote)
    most_examples = 20
