"""Opening engines on servers of NATS, each test with a space of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.nats.engine import NatsEngine

from ....nats.servers import new_space
from ..rig import SettableClock

__all__ = ["make_engine", "nats_engine", "remove_streams"]


def make_engine(
    *urls: str, space: str, limits: Limits | None = None, clock: SettableClock | None = None, **more: Any
) -> NatsEngine:
    """An engine with the limits of a broker; not started."""
    limits = limits or Limits()
    settings: dict[str, Any] = {
        "log_events": limits.log_events,
        "log_bytes": limits.log_bytes,
        "log_age_ms": limits.log_age_ms,
        "dedupe_ms": limits.dedupe_ms,
        "dedupe_keys": limits.dedupe_keys,
        "dedupe_keys_per_subject": limits.dedupe_keys_per_subject,
        "window_events": limits.window_events,
        "window_bytes": limits.window_bytes,
    }
    if clock is not None:
        settings["steady_ms"] = clock.steady_ms
    return NatsEngine(urls, space=space, **settings | more)


async def remove_streams(engine: NatsEngine, space: str) -> None:
    """Leave nothing of a space behind, at servers that others use too."""
    link = engine.new_link("tests")
    await link.start()
    try:
        for name in ("log", "state"):
            await link.request(f"$JS.API.STREAM.DELETE.swarmwire_{space}_{name}".encode(), timeout=5)
    finally:
        await link.close()


@asynccontextmanager
async def nats_engine(
    *urls: str,
    space: str | None = None,
    limits: Limits | None = None,
    clock: SettableClock | None = None,
    **more: Any,
) -> AsyncIterator[NatsEngine]:
    """A started engine; where no space is given, one of its own, that is removed afterwards."""
    named = space or new_space()
    engine = make_engine(*urls, space=named, limits=limits, clock=clock, **more)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        if space is None:
            await remove_streams(engine, named)
